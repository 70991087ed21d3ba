"""Fixtures shared by all tests: settings that leak nothing from the machine, one loaded model, one encoder."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from shopfloor.local_models import open_encoder, open_runtime
from shopfloor.local_models.encoder import Encoder
from shopfloor.local_models.files import find_model, open_model_file
from shopfloor.local_models.llama_server import usable_cores
from shopfloor.local_models.preparing import prepare
from shopfloor.local_models.runtime import Runtime
from shopfloor.settings import Settings

REPOSITORY = Path(__file__).resolve().parent.parent
KEY_VARIABLES = ("GOOGLE_API_KEY", "GEMINI_API_KEY")


@pytest.fixture(scope="session", autouse=True)
def isolated_environment() -> None:
    """No setting of the developer's own machine reaches a test."""
    for name in list(os.environ):
        if name in KEY_VARIABLES or (name.startswith("SHOPFLOOR_") and name != "SHOPFLOOR_EVAL_DATA"):
            del os.environ[name]


@pytest.fixture(scope="session")
def models_path() -> Path:
    """Derived model files, kept between runs so that they are made once."""
    return REPOSITORY / ".cache" / "models"


@pytest.fixture(scope="session")
def model_settings(models_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of the shared model: data in a temporary folder, no ``.env`` read; its faster form is made once."""
    data = tmp_path_factory.mktemp("model-data")
    settings = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        data=data,
        models=models_path,
        model_form="prepared",
        model_timeout_s=60,
        google_api_key=None,
    )
    prepare(open_model_file(find_model(settings), models_path), models_path, usable_cores())
    return settings


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def runtime(model_settings: Settings) -> AsyncIterator[Runtime]:
    """The embedded model, loaded once; it may be used from any event loop."""
    runtime = await open_runtime(model_settings)
    yield runtime
    await runtime.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def encoder(model_settings: Settings) -> AsyncIterator[Encoder]:
    """The router's encoder, loaded once; it may be used from any event loop."""
    encoder = await open_encoder(model_settings)
    yield encoder
    await encoder.close()
