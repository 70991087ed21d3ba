"""Runs the tests of the transformers runtime in the environment of its own, made by ``scripts/env.sh hf``."""

import pytest

from tests.local_models.environments import python_of, run_tests

needs_hf = pytest.mark.skipif(not python_of("hf").exists(), reason="needs the environment made by `scripts/env.sh hf`")


@needs_hf
@pytest.mark.timeout(700)
def test_the_runtime_keeps_the_contract_in_its_own_environment() -> None:
    print(run_tests("hf", ["test_contract.py"], select="hf", timeout_s=600, variables={}))


@needs_hf
@pytest.mark.slow
@pytest.mark.timeout(1400)
def test_adapters_and_errors_in_its_own_environment() -> None:
    print(run_tests("hf", ["test_hf.py"], select="hf", timeout_s=1300, variables={}))
