"""Adapter files: what they say of themselves, what is refused before loading, and that they change the answers."""

import asyncio
from pathlib import Path

import pytest

from shopfloor.errors import ModelError, ModelMissingError
from shopfloor.local_models.adapter_file import check_fit, open_adapter
from shopfloor.local_models.adapting import held
from shopfloor.local_models.files import ModelFile, find_model, open_model_file
from shopfloor.local_models.ollama import OllamaRuntime
from shopfloor.local_models.opening import open_embedded
from shopfloor.local_models.runtime import GenerateOptions, Message, Runtime
from shopfloor.local_models.swapping import SwappingRuntime
from shopfloor.settings import Settings
from tests.fakes.ollama import FakeOllama
from tests.local_models.loras import RANK, write_lora

ASK = [Message("user", "What is a rain jacket for?")]
GREEDY = GenerateOptions(max_tokens=16, timeout_s=60)


@pytest.fixture(scope="module")
def source(model_settings: Settings) -> ModelFile:
    return open_model_file(find_model(model_settings), model_settings.models_path)


@pytest.fixture(scope="module")
def lora(source: ModelFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lora") / "one.gguf"
    return write_lora(path, source.header, seed=1, strength=0.2, source_hash=source.sha256)


def test_an_adapter_says_what_it_is(lora: Path, source: ModelFile) -> None:
    adapter = open_adapter(lora)
    assert (adapter.rank, adapter.alpha, adapter.architecture) == (RANK, float(RANK), "llama")
    assert adapter.targets == ("attn_q", "ffn_down")
    assert adapter.source_hash == source.sha256 and len(adapter.sha256) == 64
    check_fit(adapter, source.header, source.sha256)


def test_what_is_no_adapter_is_refused(source: ModelFile, lora: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no LoRA adapter"):
        open_adapter(source.path)
    with pytest.raises(ModelMissingError, match="can't be read"):
        open_adapter(tmp_path / "missing.gguf")
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(lora.read_bytes()[:-100])
    with pytest.raises(ModelMissingError, match="truncated"):
        open_adapter(cut)
    with pytest.raises(ModelError, match="no complete pair"):
        open_adapter(write_lora(tmp_path / "empty.gguf", source.header, seed=1, targets=()))
    with pytest.raises(ModelError, match=r"ranks \[300\]"):
        open_adapter(write_lora(tmp_path / "wide.gguf", source.header, seed=1, rank=300, targets=("attn_k",)))


def test_an_adapter_of_another_model_is_refused(source: ModelFile, tmp_path: Path) -> None:
    other = open_adapter(write_lora(tmp_path / "a.gguf", source.header, seed=1, source_hash="0" * 64))
    with pytest.raises(ModelError, match="trained on other weights"):
        check_fit(other, source.header, source.sha256)
    gemma = open_adapter(write_lora(tmp_path / "b.gguf", source.header, seed=1, architecture="gemma"))
    with pytest.raises(ModelError, match="is for gemma, the model is llama"):
        check_fit(gemma, source.header, source.sha256)


async def test_a_model_opens_with_its_adapter(runtime: Runtime, model_settings: Settings, lora: Path) -> None:
    adapted = await open_embedded(model_settings.model_copy(update={"model_ctx": 512, "model_slots": 1}), lora)
    assert adapted.info.adapter == open_adapter(lora).sha256
    assert (await adapted.chat(ASK, GREEDY)).text != (await runtime.chat(ASK, GREEDY)).text
    await adapted.close()


async def test_ollama_switches_to_an_adapter_and_back(
    ollama: FakeOllama, ollama_runtime: OllamaRuntime, lora: Path
) -> None:
    adapter = open_adapter(lora)
    base = (await ollama_runtime.chat(ASK, GREEDY)).text
    await ollama_runtime.use_adapter(adapter)
    tag = f"smollm2-shopfloor:{adapter.sha256[:12]}"
    assert tag in ollama.models and ollama_runtime.info.adapter == adapter.sha256
    adapted = (await ollama_runtime.chat(ASK, GREEDY)).text
    await ollama_runtime.use_adapter(None)
    assert ollama_runtime.info.adapter is None
    assert (await ollama_runtime.chat(ASK, GREEDY)).text == base != adapted
    await ollama.models[tag].close()


async def test_an_adapter_ollama_refuses_changes_nothing(
    ollama: FakeOllama, ollama_runtime: OllamaRuntime, lora: Path
) -> None:
    adapter = open_adapter(lora)
    ollama.refuse_adapters = True
    with pytest.raises(ModelError, match="unsupported architecture"):
        await ollama_runtime.use_adapter(adapter)
    assert ollama_runtime.info.adapter is None
    assert (await ollama_runtime.chat(ASK, GREEDY)).text


@pytest.mark.slow
async def test_a_b_a_by_tags_with_a_side_an_adapter(
    ollama: FakeOllama, ollama_runtime: OllamaRuntime, source: ModelFile, tmp_path: Path
) -> None:
    """Two agents with an adapter each; a call that was held keeps its own when they change."""
    made = [write_lora(tmp_path / f"{seed}.gguf", source.header, seed=seed, strength=0.2) for seed in (1, 2)]
    one, two = (open_adapter(path) for path in made)
    switched = await SwappingRuntime.sharing(ollama_runtime, 60)
    view, other = switched.for_agent("recommendation"), switched.for_agent("inventory")
    base = (await view.chat(ASK, GREEDY)).text
    answers: list[str] = []
    for adapter in (one, two, one):
        await switched.use_adapters({"recommendation": adapter})
        assert (view.info.adapter, other.info.adapter) == (adapter.sha256, None)
        answers.append((await view.chat(ASK, GREEDY)).text)
        assert (await other.chat(ASK, GREEDY)).text == base
    assert answers[0] == answers[2] != answers[1] and base not in answers
    with held(switched):
        change = asyncio.create_task(switched.use_adapters({"inventory": two}))
        while "inventory" not in switched.adapters:
            await asyncio.sleep(0.01)
        assert (await view.chat(ASK, GREEDY)).text == answers[0]
    await change
    assert (await view.chat(ASK, GREEDY)).text == base
    assert (await other.chat(ASK, GREEDY)).text == answers[1]
    ollama.refuse_adapters = True
    with pytest.raises(ModelError, match="unsupported architecture"):
        await switched.use_adapters({"recommendation": one})
    assert other.info.adapter == two.sha256
    for tag, variant in ollama.models.items():
        if "shopfloor" in tag:
            await variant.close()
