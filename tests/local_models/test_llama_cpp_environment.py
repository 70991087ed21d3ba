"""Runs the tests of the llama-cpp-python runtime in the environment of its own, made by ``scripts/env.sh llama-cpp``."""

import pytest

from tests.local_models.environments import python_of, run_tests

FILES = ["test_contract.py", "test_llama_cpp.py"]


@pytest.mark.slow
@pytest.mark.timeout(1000)
@pytest.mark.skipif(
    not python_of("llama-cpp").exists(), reason="needs the environment made by `scripts/env.sh llama-cpp`"
)
def test_the_runtime_keeps_the_contract_in_its_own_environment() -> None:
    print(run_tests("llama-cpp", FILES, select="llama", timeout_s=900, variables={}))
