"""MLX: the same weights score as in llama.cpp, and GGUF adapters mean the same."""

import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from shopfloor.errors import ModelError, ModelMissingError
from shopfloor.local_models import open_runtime
from shopfloor.local_models.adapter_file import AdapterFile
from shopfloor.local_models.divergence import divergence_prompts
from shopfloor.local_models.mlx import MlxRuntime
from shopfloor.local_models.opening import open_embedded
from shopfloor.local_models.runtime import GenerateOptions, Message, Runtime
from shopfloor.settings import Settings

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("mlx_lm") is None, reason="needs the environment made by `scripts/env.sh mlx`"
)

ASK = [Message("user", "What is a rain jacket for?")]
GREEDY = GenerateOptions(max_tokens=16, timeout_s=60)
LABELS = [f" {letter}" for letter in "ABCDEFGHIJ"] + [" yes", " no", " the", " zebra", "\n"]


@pytest_asyncio.fixture
async def own(model_settings: Settings) -> AsyncIterator[MlxRuntime]:
    runtime = await open_runtime(model_settings.model_copy(update={"runtime": "mlx", "model_slots": 2}))
    assert isinstance(runtime, MlxRuntime)
    yield runtime
    await runtime.close()


async def test_scores_and_tokens_agree_with_llama_cpp(mlx_runtime: Runtime, model_settings: Settings) -> None:
    shipped = await open_runtime(model_settings.model_copy(update={"model_form": "shipped", "model_slots": 1}))
    prompts = divergence_prompts()[:20]
    reference = await mlx_runtime.score(prompts, LABELS)
    measured = await shipped.score(prompts, LABELS)
    text = "Order 66: 12 shirts at 49.90 EUR, Größe é, 中文 🧥\n\n  x = {1: 2}"
    assert await mlx_runtime.count_tokens(text) == await shipped.count_tokens(text)
    assert (await mlx_runtime.chat(ASK, GREEDY)).prompt_tokens == (await shipped.chat(ASK, GREEDY)).prompt_tokens
    await shipped.close()
    difference = np.abs(reference - measured)
    print(f"labels' log-probabilities: mean difference {difference.mean():.4f}, worst {difference.max():.4f}")
    assert difference.mean() < 0.2


async def test_an_adapter_means_the_same_as_in_llama_cpp(
    own: MlxRuntime, model_settings: Settings, adapters: list[AdapterFile]
) -> None:
    settings = model_settings.model_copy(update={"model_form": "shipped", "model_slots": 1})
    embedded = await open_embedded(settings, adapters[0].path)
    prompts = divergence_prompts()[:8]
    base = await own.score(prompts, LABELS)
    await own.use_adapter(adapters[0])
    adapted, expected = await own.score(prompts, LABELS), await embedded.score(prompts, LABELS)
    await embedded.close()
    assert np.abs(adapted - expected).mean() < 0.3 < 0.5 * np.abs(adapted - base).mean()


async def test_a_request_keeps_its_adapter_while_another_takes_over(
    own: MlxRuntime, adapters: list[AdapterFile]
) -> None:
    await own.use_adapter(adapters[0])
    alone = (await own.chat(ASK, GREEDY)).text
    chunks = own.stream(ASK, GREEDY)
    pieces = [(await anext(chunks)).text]
    await own.use_adapters({"": adapters[1]}, drained=False)
    assert (await own.chat(ASK, GREEDY)).text != alone
    pieces += [chunk.text async for chunk in chunks]
    assert "".join(pieces) == alone
    await own.use_adapters({})
    assert not own._shared.store.has(adapters[0].sha256)


async def test_a_model_without_a_source_file_takes_no_adapter(
    own: MlxRuntime, model_settings: Settings, adapters: list[AdapterFile]
) -> None:
    folder = Path(own._shared.source.location)
    plain = await open_runtime(model_settings.model_copy(update={"runtime": "mlx", "model": folder}))
    assert isinstance(plain, MlxRuntime)
    with pytest.raises(ModelError, match="GGUF"):
        await plain.use_adapter(adapters[0])
    await plain.close()


async def test_a_folder_that_is_no_model_is_named(model_settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match=r"config\.json"):
        await open_runtime(model_settings.model_copy(update={"runtime": "mlx", "model": tmp_path}))


async def test_a_closed_runtime_refuses(own: MlxRuntime) -> None:
    stream = own.stream(ASK, GenerateOptions(max_tokens=400, timeout_s=60))
    assert (await anext(stream)).text
    await own.close()
    await own.close()
    with pytest.raises(ModelError):
        async for _chunk in stream:
            pass
    for call in (own.chat(ASK), own.score(["a"], [" b"]), own.embed(["a"]), own.count_tokens("a")):
        with pytest.raises(ModelError, match="shut down"):
            await call
