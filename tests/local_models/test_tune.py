"""Tuned forms: mixes by tensor, adapters that stay valid in every form, and what is kept of a tuning."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from gguf.constants import GGMLQuantizationType as Kind

from shopfloor.local_models.divergence import LIMIT, divergence_prompts, likeness
from shopfloor.local_models.files import ModelFile, file_hash, find_model, open_model_file
from shopfloor.local_models.forms import MIXES, Recipe, derive
from shopfloor.local_models.gguf_file import read_header
from shopfloor.local_models.llama_server import LlamaServer, ServerOptions
from shopfloor.local_models.opening import open_embedded
from shopfloor.local_models.runtime import GenerateOptions, Message
from shopfloor.local_models.tune import SHIPPED, Tuning, apply_tuning, machine_key, read_tuning, tune
from shopfloor.settings import Settings
from tests.local_models.loras import write_lora

OPTIONS = ServerOptions(Path("model.gguf"), 512, 1, 2, 256)


@pytest.fixture(scope="module")
def source(model_settings: Settings) -> ModelFile:
    return open_model_file(find_model(model_settings), model_settings.models_path)


@pytest.mark.parametrize("mix", ["q8_0", "q5_1", "q4_0-query"])
def test_a_mix_gives_each_tensor_its_form(source: ModelFile, tmp_path: Path, mix: str) -> None:
    header = read_header(derive(source, Recipe(1, mix), tmp_path))
    kinds = {tensor.name.removesuffix(".weight").rpartition(".")[2]: tensor.kind for tensor in header.tensors}
    chosen = MIXES[mix]
    for part in ("ffn_gate", "attn_q", "attn_output"):
        assert kinds[part] == (chosen.kind if not chosen.only or part in chosen.only else Kind.Q8_0)
    assert kinds["attn_norm"] == Kind.F32
    assert header.number("general.file_type") == chosen.file_type


def test_the_service_s_own_forms_keep_their_names(source: ModelFile, tmp_path: Path) -> None:
    """What was learned on an encoder's vectors is bound to its identity."""
    assert Recipe().path(source, tmp_path).name.endswith(".q8_0.gguf")
    assert Recipe(6).path(source, tmp_path).name.endswith(".encoder-6.gguf")
    assert Recipe(6).identity(source) != Recipe(6, "q5_1").identity(source)


def test_an_adapter_stays_valid_in_another_form(source: ModelFile, model_settings: Settings, tmp_path: Path) -> None:
    """The same adapter on the shipped file and on its faster form says the same; without it, both say something else."""
    lora = write_lora(tmp_path / "lora.gguf", source.header, seed=3, strength=0.12, source_hash=source.sha256)
    form = derive(source, Recipe(), model_settings.models_path)
    shipped = ServerOptions(source.path, 512, 1, 2, 256, lora)
    servers = [
        LlamaServer(options)
        for options in (shipped, replace(shipped, path=form), replace(shipped, path=form, adapter=None))
    ]
    try:
        prompts = divergence_prompts()[:10]
        same = likeness(servers[0], servers[1], prompts)
        without = likeness(servers[0], servers[2], prompts)
    finally:
        for server in servers:
            server.close()
    assert same.mean < LIMIT, "the adapter, on a form of the weights it was made for"
    assert without.mean > 10 * same.mean and without.mean > 0.1, "the adapter changes what is said"


@pytest.fixture
def tuning() -> Tuning:
    return Tuning(machine_key(), SHIPPED, 1, 128, "on", "q8_0", True, 0.001, 1.2, 1.1)


def test_a_tuning_is_kept_by_source_and_machine(source: ModelFile, tmp_path: Path, tuning: Tuning) -> None:
    assert read_tuning(source, tmp_path) is None
    kept = tmp_path / f"{source.sha256[:16]}.tuning.json"
    kept.write_text(json.dumps(asdict(tuning)))
    assert read_tuning(source, tmp_path) == tuning
    kept.write_text(json.dumps(asdict(replace(tuning, machine="another"))))
    assert read_tuning(source, tmp_path) is None
    kept.write_text(json.dumps(asdict(replace(tuning, form="q8_0"))))
    assert read_tuning(source, tmp_path) is None, "its form is not there"
    kept.write_text("{broken")
    assert read_tuning(source, tmp_path) is None


def test_a_tuning_changes_the_options(source: ModelFile, tmp_path: Path, tuning: Tuning) -> None:
    changed = apply_tuning(OPTIONS, tuning, source, tmp_path)
    assert (changed.path, changed.threads, changed.batch, changed.flash, changed.kv) == (
        source.path,
        1,
        128,
        "on",
        "q8_0",
    )
    assert (changed.context, changed.slots) == (OPTIONS.context, OPTIONS.slots)
    form = apply_tuning(OPTIONS, replace(tuning, form="q8_0"), source, tmp_path)
    assert form.path == Recipe().path(source, tmp_path)


async def test_the_runtime_is_opened_as_tuned(
    source: ModelFile, model_settings: Settings, tmp_path: Path, tuning: Tuning
) -> None:
    form = derive(source, Recipe(), tmp_path)  # without a verdict beside it nothing but the tuning takes it
    (tmp_path / f"{source.sha256[:16]}.tuning.json").write_text(json.dumps(asdict(replace(tuning, form="q8_0"))))
    for model_form, quantisation in (("prepared", "Q8_0"), ("shipped", "Q4_1")):
        settings = model_settings.model_copy(update={"models": tmp_path, "model_form": model_form})
        runtime = await open_embedded(settings)
        assert runtime.info.quantisation == quantisation
        assert (runtime.info.form_hash == file_hash(form, tmp_path)) == (quantisation == "Q8_0")
        assert (await runtime.chat([Message("user", "Hello")], GenerateOptions(max_tokens=2))).completion_tokens > 0
        await runtime.close()


@pytest.mark.slow
def test_tuning_keeps_what_is_faster_and_says_the_same(source: ModelFile, tmp_path: Path) -> None:
    said: list[str] = []
    found, tried = tune(source, tmp_path, mixes=("q8_0", "q4_0"), say=said.append)
    forms = {one.name: one for one in tried if one.name in MIXES}
    assert not forms["q4_0"].kept and forms["q4_0"].divergence > LIMIT, "it says something else"
    assert found.divergence < LIMIT
    assert found.form in ("q8_0", SHIPPED)
    assert len(said) == len(tried) >= 6
    assert read_tuning(source, tmp_path) == found
    assert [path.name for path in tmp_path.glob("*.q4_0.gguf")] == [], "what was not kept is deleted"
