"""Finding, checking and deriving model files, and what a person reads when one is missing or damaged."""

import struct
import threading
from pathlib import Path

import pytest
from gguf import GGUFReader

from shopfloor.errors import ModelError, ModelMissingError
from shopfloor.local_models import open_runtime
from shopfloor.local_models.divergence import LIMIT, check_form, divergence, divergence_prompts, read_verdict
from shopfloor.local_models.files import (
    EMBEDDED_FILE,
    EMBEDDED_SHA256,
    ModelFile,
    file_hash,
    find_model,
    open_model_file,
)
from shopfloor.local_models.forms import Recipe, derive
from shopfloor.local_models.gguf_file import read_header
from shopfloor.local_models.preparing import is_settled, needs_form, prepared_form
from shopfloor.local_models.runtime import Runtime
from shopfloor.settings import Settings


@pytest.fixture(scope="module")
def source(model_settings: Settings) -> ModelFile:
    return open_model_file(find_model(model_settings), model_settings.models_path)


def test_the_embedded_model_is_the_expected_one(source: ModelFile) -> None:
    assert source.sha256 == EMBEDDED_SHA256
    assert source.licence == "apache-2.0"
    assert source.header.quantisation == "Q4_1"
    assert source.header.of_architecture("block_count") == 30


def test_our_header_agrees_with_the_reference_reader(source: ModelFile) -> None:
    reference = GGUFReader(source.path)
    ours = {tensor.name: (list(tensor.shape), tensor.offset, tensor.size) for tensor in source.header.tensors}
    assert ours == {
        tensor.name: ([int(n) for n in tensor.shape], int(tensor.data_offset), int(tensor.n_bytes))
        for tensor in reference.tensors
    }
    assert source.header.text("tokenizer.ggml.model") == "gpt2"
    assert source.header.meta["tokenizer.ggml.tokens"].count == 49152


@pytest.mark.parametrize("length", [3, 20, 5_000, 2_000_000, 98_000_000])
def test_a_truncated_file_is_named_so(source: ModelFile, tmp_path: Path, length: int) -> None:
    cut = tmp_path / "cut.gguf"
    with source.path.open("rb") as whole:
        cut.write_bytes(whole.read(length))
    with pytest.raises(ModelMissingError, match=r"truncated|not a GGUF") as caught:
        read_header(cut)
    assert "shopfloor models get embedded" in caught.value.detail


def test_wrong_files_are_named_so(tmp_path: Path, source: ModelFile) -> None:
    text = tmp_path / "text.gguf"
    text.write_text("this is no model at all")
    with pytest.raises(ModelMissingError, match="not a GGUF model"):
        read_header(text)
    old = tmp_path / "old.gguf"
    old.write_bytes(b"GGUF" + struct.pack("<IQQ", 1, 0, 0))
    with pytest.raises(ModelMissingError, match="version 1"):
        read_header(old)
    with pytest.raises(ModelMissingError, match="can't be read"):
        read_header(tmp_path / "none.gguf")
    other = tmp_path / "other.gguf"
    found = source.header.meta["general.architecture"]
    content = bytearray(source.path.read_bytes())
    content[found.position + 8 : found.position + 13] = b"bert!"
    other.write_bytes(content)
    with pytest.raises(ModelMissingError, match="architecture 'bert!'"):
        open_model_file(other, tmp_path)


def test_a_missing_model_says_what_to_run(
    model_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shopfloor.local_models.files.PACKAGE", "no_such_package")
    empty = model_settings.model_copy(update={"models": tmp_path})
    with pytest.raises(ModelMissingError, match="`shopfloor models get embedded`"):
        find_model(empty)
    (tmp_path / EMBEDDED_FILE).touch()
    assert find_model(empty) == tmp_path / EMBEDDED_FILE
    with pytest.raises(ModelMissingError, match="SHOPFLOOR_MODEL names"):
        find_model(model_settings.model_copy(update={"model": tmp_path / "gone.gguf"}))


async def test_opening_a_damaged_model_is_our_error(model_settings: Settings, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(find_model(model_settings).read_bytes()[:50_000_000])
    with pytest.raises(ModelMissingError, match="truncated"):
        await open_runtime(model_settings.model_copy(update={"model": broken}))


def test_the_hash_is_remembered_until_the_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "some.bin"
    file.write_bytes(b"one")
    first = file_hash(file, tmp_path)
    assert file_hash(file, tmp_path) == first
    file.write_bytes(b"three")
    assert file_hash(file, tmp_path) != first
    (tmp_path / "hashes.json").write_text("{broken")
    assert len(file_hash(file, tmp_path)) == 64


def test_a_hash_that_cannot_be_kept_is_made_again(tmp_path: Path) -> None:
    file = tmp_path / "some.bin"
    file.write_bytes(b"one")
    in_the_way = tmp_path / "folder"
    in_the_way.write_text("no folder")
    assert file_hash(file, in_the_way) == file_hash(file, tmp_path)


def test_a_shortened_form_holds_the_first_blocks_only(source: ModelFile, tmp_path: Path) -> None:
    path = derive(source, Recipe(2), tmp_path)
    header = read_header(path)
    assert header.of_architecture("block_count") == 2
    assert {tensor.name.split(".")[1] for tensor in header.tensors if tensor.name.startswith("blk.")} == {"0", "1"}
    assert header.quantisation == "Q8_0"
    made = path.stat().st_mtime_ns
    assert derive(source, Recipe(2), tmp_path).stat().st_mtime_ns == made
    path.write_bytes(path.read_bytes()[:1_000_000])
    (tmp_path / f".{path.name}.killed.part").write_bytes(b"half a file")
    assert read_header(derive(source, Recipe(2), tmp_path)).of_architecture("block_count") == 2
    with pytest.raises(ModelMissingError, match="fewer than 99 blocks"):
        derive(source, Recipe(99), tmp_path)
    assert not list(tmp_path.glob(".*.part"))


def test_callers_at_once_make_a_form_once(source: ModelFile, tmp_path: Path) -> None:
    paths: list[Path] = []
    threads = [threading.Thread(target=lambda: paths.append(derive(source, Recipe(1), tmp_path))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(paths)) == 1 and len(paths) == 4
    assert read_header(paths[0]).of_architecture("block_count") == 1


def test_a_folder_that_cannot_be_written_is_our_error(source: ModelFile, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match="SHOPFLOOR_MODELS"):
        derive(source, Recipe(1), tmp_path / "file")


def test_the_faster_form_says_the_same(source: ModelFile, model_settings: Settings, runtime: Runtime) -> None:
    folder = model_settings.models_path
    verdict = read_verdict(Recipe().path(source, folder))
    assert verdict is not None and verdict.prompts >= 24
    assert verdict.divergence < LIMIT
    assert verdict.same_top >= 0.9
    assert is_settled(source, folder) and needs_form(source)
    if verdict.accepted:
        assert prepared_form(source, folder) == Recipe().path(source, folder)
        assert runtime.info.quantisation == "Q8_0"
        assert runtime.info.form_hash != runtime.info.source_hash == source.sha256


def test_a_form_that_says_something_else_is_refused(source: ModelFile, tmp_path: Path) -> None:
    short = derive(source, Recipe(3), tmp_path)
    verdict = check_form(source.path, short, threads=2)
    assert not verdict.accepted and verdict.divergence > 0.5
    assert read_verdict(short) == verdict


def test_divergence_of_known_distributions() -> None:
    from math import log

    same = {1: log(0.5), 2: log(0.3)}
    assert divergence(same, same) == pytest.approx(0.0, abs=1e-9)
    other = {1: log(0.25), 2: log(0.55)}
    assert divergence(same, other) == pytest.approx(0.5 * log(2) + 0.3 * log(0.3 / 0.55), rel=1e-6)
    assert len(divergence_prompts()) >= 24
