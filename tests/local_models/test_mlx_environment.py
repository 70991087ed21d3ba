"""Runs the tests of the MLX runtime in the environment of its own, made by ``scripts/env.sh mlx``."""

import pytest

from tests.local_models.environments import python_of, run_tests

FILES = ["test_contract.py", "test_mlx.py"]
LIBRARIES = python_of("mlx").parent.parent / "lib"


@pytest.mark.slow
@pytest.mark.timeout(1400)
@pytest.mark.skipif(not python_of("mlx").exists(), reason="needs the environment made by `scripts/env.sh mlx`")
def test_the_runtime_keeps_the_contract_in_its_own_environment() -> None:
    fast = LIBRARIES / "libopenblas.so.0"
    preloaded = {"LD_PRELOAD": str(fast), "LD_LIBRARY_PATH": str(LIBRARIES)} if fast.exists() else {}
    print(run_tests("mlx", FILES, select="mlx", timeout_s=1300, variables=preloaded))
