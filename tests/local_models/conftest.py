"""The backends the contract suite runs over. A new runtime adds a name and a fixture, no test."""

import importlib.util
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from shopfloor.local_models import open_runtime
from shopfloor.local_models.embedded import EmbeddedRuntime
from shopfloor.local_models.files import find_model, open_model_file
from shopfloor.local_models.ollama import OllamaModel, OllamaRuntime
from shopfloor.local_models.openai_compatible import OpenAICompatibleRuntime, Served
from shopfloor.local_models.opening import open_embedded
from shopfloor.local_models.preparing import prepared_form
from shopfloor.local_models.runtime import Runtime
from shopfloor.settings import Settings
from tests.fakes.ollama import FakeOllama
from tests.fakes.serving import serving

BACKENDS = {"embedded": "runtime", "openai": "openai_runtime", "ollama": "ollama_runtime"}
if importlib.util.find_spec("torch") is not None:  # in .venvs/hf; test_hf_environment.py goes there
    BACKENDS["hf"] = "hf_runtime"
SLOW = frozenset({"ollama"})  # the fake runs over the embedded model: its own tests are quick, the whole suite is not
KEY = "test-key"


@pytest.fixture(scope="session")
def llama_url(model_settings: Settings) -> Iterator[str]:
    """A real OpenAI-compatible server over the shared model, in another process."""
    source = open_model_file(find_model(model_settings), model_settings.models_path)
    path = prepared_form(source, model_settings.models_path) or source.path
    command = [sys.executable, str(Path(__file__).with_name("llama_http.py")), str(path), KEY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://"), "the server did not start"
        yield url  # leaving closes its standard input, and it ends


@pytest.fixture
def served(llama_url: str) -> Served:
    """How to reach it."""
    return Served(url=llama_url + "/v1", model="", key=KEY, context=2048, timeout_s=60, profile="cpu")


@pytest_asyncio.fixture
async def openai_runtime(served: Served) -> AsyncIterator[Runtime]:
    """The runtime over that server."""
    runtime = await OpenAICompatibleRuntime.open(served)
    yield runtime
    await runtime.close()


@pytest.fixture
def ollama(runtime: Runtime, model_settings: Settings, tmp_path: Path) -> FakeOllama:
    """A fake Ollama with one model, the embedded one."""
    assert isinstance(runtime, EmbeddedRuntime)

    async def open_variant(adapter: Path) -> EmbeddedRuntime:
        return await open_embedded(model_settings, adapter)

    return FakeOllama(runtime, tmp_path, open_variant, models={"smollm2:135m": runtime})


@pytest.fixture
def ollama_url(ollama: FakeOllama) -> Iterator[str]:
    """Where it listens."""
    with serving(ollama.create_app()) as url:
        yield url


@pytest_asyncio.fixture
async def ollama_runtime(ollama_url: str) -> AsyncIterator[Runtime]:
    """The runtime over it."""
    runtime = await OllamaRuntime.open(OllamaModel(ollama_url, "smollm2:135m", 2048, 60, "cpu"))
    yield runtime
    await runtime.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def hf_runtime(model_settings: Settings) -> AsyncIterator[Runtime]:
    """The embedded model's weights in transformers; converted once."""
    runtime = await open_runtime(model_settings.model_copy(update={"runtime": "hf"}))
    yield runtime
    await runtime.close()


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in BACKENDS])
def backend(request: pytest.FixtureRequest) -> Runtime:
    """One loaded runtime."""
    return request.getfixturevalue(BACKENDS[request.param])
