"""The backends the contract suite runs over. A new runtime adds a name and a fixture, no test."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from shopfloor.local_models import open_runtime
from shopfloor.local_models.adapter_file import AdapterFile, open_adapter
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
from tests.local_models.loras import write_lora
from tests.local_models.processes import free_port, running

BACKENDS = {"embedded": "runtime", "openai": "openai_runtime", "ollama": "ollama_runtime"}
if importlib.util.find_spec("torch") is not None:  # in .venvs/hf; test_hf_environment.py goes there
    BACKENDS["hf"] = "hf_runtime"
if importlib.util.find_spec("llama_cpp") is not None:  # in .venvs/llama-cpp
    BACKENDS["llama-cpp"] = "llama_cpp_runtime"
if importlib.util.find_spec("mlx_lm") is not None:  # in .venvs/mlx
    BACKENDS["mlx"] = "mlx_runtime"
LLAMA_SERVER = os.environ.get("SHOPFLOOR_LLAMA_SERVER", "")  # read before the tests take all such variables away
if LLAMA_SERVER:
    BACKENDS["llama-server"] = "llama_server_runtime"
# Ollama's fake runs over the embedded model: its own tests are quick, the whole suite is not.
SLOW = frozenset({"ollama", "llama-server"})
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


@pytest.fixture(scope="session")
def llama_server_url(model_settings: Settings) -> Iterator[str]:
    """llama.cpp's server, the binary that SHOPFLOOR_LLAMA_SERVER names."""
    source = open_model_file(find_model(model_settings), model_settings.models_path)
    path = prepared_form(source, model_settings.models_path) or source.path
    port = free_port()
    command = [LLAMA_SERVER, "-m", str(path), "--port", str(port), "-np", "4", "-c", "8192", "-b", "256", "-ub", "256"]
    with running([*command, "--embeddings", "--pooling", "mean", "--api-key", KEY], port) as url:
        yield url


@pytest_asyncio.fixture
async def llama_server_runtime(llama_server_url: str) -> AsyncIterator[Runtime]:
    """The runtime over it."""
    served = Served(llama_server_url + "/v1", model="", key=KEY, context=2048, timeout_s=60, profile="cpu")
    runtime = await OpenAICompatibleRuntime.open(served)
    yield runtime
    await runtime.close()


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


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def llama_cpp_runtime(model_settings: Settings) -> AsyncIterator[Runtime]:
    """The embedded model's file in llama-cpp-python."""
    runtime = await open_runtime(model_settings.model_copy(update={"runtime": "llama-cpp"}))
    yield runtime
    await runtime.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mlx_runtime(model_settings: Settings) -> AsyncIterator[Runtime]:
    """The embedded model's weights in MLX; converted once."""
    runtime = await open_runtime(model_settings.model_copy(update={"runtime": "mlx"}))
    yield runtime
    await runtime.close()


@pytest.fixture(scope="session")
def adapters(model_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> list[AdapterFile]:
    """Two adapters of the embedded model with random weights, strong enough to be told apart."""
    source = open_model_file(find_model(model_settings), model_settings.models_path)
    folder = tmp_path_factory.mktemp("two-adapters")
    paths = [write_lora(folder / f"{seed}.gguf", source.header, seed=seed, strength=0.2) for seed in (1, 2)]
    return [open_adapter(path) for path in paths]


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in BACKENDS])
def backend(request: pytest.FixtureRequest) -> Runtime:
    """One loaded runtime."""
    return request.getfixturevalue(BACKENDS[request.param])
