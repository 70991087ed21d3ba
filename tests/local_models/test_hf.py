"""What is particular to transformers: the same weights score as llama.cpp does, and adapters go by name."""

import asyncio
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from shopfloor.errors import ModelError, ModelMissingError
from shopfloor.local_models import open_runtime
from shopfloor.local_models.adapter_file import AdapterFile
from shopfloor.local_models.divergence import divergence_prompts
from shopfloor.local_models.embedded import EmbeddedRuntime
from shopfloor.local_models.hf import HfRuntime
from shopfloor.local_models.hf_files import library
from shopfloor.local_models.runtime import GenerateOptions, Message, Runtime
from shopfloor.local_models.swapping import SwappingRuntime
from shopfloor.settings import Settings

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs the environment made by `scripts/env.sh hf`"
)

ASK = [Message("user", "What is a rain jacket for?")]
GREEDY = GenerateOptions(max_tokens=16, timeout_s=60)
SHORT = GenerateOptions(max_tokens=5, timeout_s=60)
LABELS = [f" {letter}" for letter in "ABCDEFGHIJ"] + [" yes", " no", " the", " zebra", "\n"]


async def test_scores_agree_with_llama_cpp(hf_runtime: Runtime, model_settings: Settings) -> None:
    shipped = await open_runtime(model_settings.model_copy(update={"model_form": "shipped", "model_slots": 1}))
    prompts = divergence_prompts()[:30]
    reference = await hf_runtime.score(prompts, LABELS)
    measured = await shipped.score(prompts, LABELS)
    await shipped.close()
    difference = np.abs(reference - measured)
    shares = np.exp(reference - np.logaddexp.reduce(reference, axis=1, keepdims=True))
    others = measured - np.logaddexp.reduce(measured, axis=1, keepdims=True)
    divergences = (shares * (np.log(shares) - others)).sum(axis=1)
    print(
        f"labels' log-probabilities: mean difference {difference.mean():.4f}, worst {difference.max():.4f}; "
        f"mean divergence {divergences.mean():.5f}, worst {divergences.max():.5f} nats"
    )
    assert divergences.mean() < 0.02
    assert difference.mean() < 0.2


async def test_greedy_answers_begin_alike(hf_runtime: Runtime, runtime: Runtime) -> None:
    assert isinstance(runtime, EmbeddedRuntime)
    one, other = await hf_runtime.chat(ASK, GREEDY), await runtime.chat(ASK, GREEDY)
    assert one.prompt_tokens == other.prompt_tokens
    assert one.text.split()[:3] == other.text.split()[:3]


def save_lora(hf_runtime: HfRuntime, folder: Path, seed: int) -> Path:
    """A PEFT adapter with random weights for a model of this shape."""
    peft, transformers, torch = library("peft"), library("transformers"), library("torch")
    torch.manual_seed(seed)
    config = transformers.AutoConfig.from_pretrained(hf_runtime._model._model.config._name_or_path)
    base = transformers.AutoModelForCausalLM.from_config(config)
    adapted = peft.get_peft_model(base, peft.LoraConfig(r=4, target_modules=["q_proj", "down_proj"]))
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    adapted.save_pretrained(str(folder))
    return folder


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # inside peft
async def test_adapters_switch_by_name_and_back(model_settings: Settings, tmp_path: Path) -> None:
    own = await open_runtime(model_settings.model_copy(update={"runtime": "hf", "model_slots": 2}))
    assert isinstance(own, HfRuntime)
    base = (await own.chat(ASK, GREEDY)).text
    folders = {name: save_lora(own, tmp_path / name, seed) for seed, name in enumerate(("one", "two"))}
    answers: list[str] = []
    for name in ("one", "two", "one"):
        await own.use_adapter(name, folders[name])
        assert own.info.adapter == name
        answers.append((await own.chat(ASK, GREEDY)).text)
    assert answers[0] == answers[2] != answers[1]
    await own.use_adapter(None)
    assert (await own.chat(ASK, GREEDY)).text == base not in answers
    with pytest.raises(ModelError, match="name its folder"):
        await own.use_adapter("three")
    with pytest.raises(ModelError, match="can't be loaded"):
        await own.use_adapter("three", tmp_path)
    assert own.info.adapter is None
    await own.close()


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # inside peft
async def test_several_adapters_at_once_by_agent(model_settings: Settings, tmp_path: Path) -> None:
    """A-B-A over sides that share the weights; agents side by side; what no side has is unloaded."""
    own = await open_runtime(model_settings.model_copy(update={"runtime": "hf", "model_slots": 2}))
    assert isinstance(own, HfRuntime)
    adapters = [
        AdapterFile(
            tmp_path / name / "none.gguf",
            name * 16,
            "llama",
            4,
            4.0,
            (),
            "",
            folder=save_lora(own, tmp_path / name, seed),
        )
        for seed, name in enumerate(("one0", "two0"))
    ]
    switched = await SwappingRuntime.sharing(own, 60)
    view, other = switched.for_agent("recommendation"), switched.for_agent("inventory")
    base = (await view.chat(ASK, SHORT)).text
    answers: list[str] = []
    for adapter in (adapters[0], adapters[1], adapters[0]):
        await switched.use_adapters({"recommendation": adapter})
        assert (view.info.adapter, other.info.adapter) == (adapter.identity, None)
        answers.append((await view.chat(ASK, SHORT)).text)
    assert answers[0] == answers[2] != answers[1]
    assert own._loaded == {adapters[0].identity}
    await switched.use_adapters({"recommendation": adapters[0], "inventory": adapters[1]})
    both = await asyncio.gather(view.chat(ASK, SHORT), other.chat(ASK, SHORT), switched.chat(ASK, SHORT))
    assert [one.text for one in both] == [answers[0], answers[1], base]
    (tmp_path / "two0" / "adapter_model.safetensors").unlink()
    await switched.use_adapters({})
    with pytest.raises(ModelError, match="which transformers needs"):
        await switched.use_adapters({"inventory": adapters[1]})
    assert (await other.chat(ASK, SHORT)).text == base
    await switched.close()
    with pytest.raises(ModelError, match="shut down"):
        await own.chat(ASK)


async def test_a_grammar_is_obeyed_and_a_wrong_one_is_our_error(hf_runtime: Runtime) -> None:
    options = GenerateOptions(max_tokens=20, grammar='root ::= "size " [SML] "!"', timeout_s=60)
    assert (await hf_runtime.chat(ASK, options)).text in {"size S!", "size M!", "size L!"}
    with pytest.raises(ModelError, match="refused"):
        await hf_runtime.chat(ASK, GenerateOptions(grammar="root ::= (", timeout_s=60))


async def test_a_folder_that_is_no_model_is_named(model_settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match=r"config\.json"):
        await open_runtime(model_settings.model_copy(update={"runtime": "hf", "model": tmp_path}))


async def test_a_closed_runtime_refuses(model_settings: Settings) -> None:
    own = await open_runtime(model_settings.model_copy(update={"runtime": "hf", "model_slots": 1}))
    stream = own.stream(ASK, GenerateOptions(max_tokens=400, timeout_s=60))
    assert (await anext(stream)).text  # type: ignore[call-overload]
    await own.close()
    await own.close()
    with pytest.raises(ModelError):
        async for _chunk in stream:
            pass
    for call in (own.chat(ASK), own.score(["a"], [" b"]), own.embed(["a"]), own.count_tokens("a")):
        with pytest.raises(ModelError, match="shut down"):
            await call
