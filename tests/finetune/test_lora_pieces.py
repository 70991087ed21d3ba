"""The parts of LoRA training that need no PyTorch: data in, batches, and the conversion to GGUF."""

import json
import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
from numpy.typing import NDArray

from shopfloor.errors import InputError, ModelError, ModelMissingError
from shopfloor.finetune.lora.batches import TOKENS_A_ROW, Tokenised, order, pack, read_at_once, tokenise
from shopfloor.finetune.lora.convert import CONFIG, WEIGHTS, convert
from shopfloor.finetune.lora.job import Example, read_examples
from shopfloor.finetune.lora.parity import blocks_of, keep_block
from shopfloor.local_models.adapter_file import open_adapter
from shopfloor.local_models.files import find_model, open_model_file
from shopfloor.settings import Settings

ROWS = [Tokenised(tuple(range(length)), 1) for length in range(2, 102)]
HIDDEN, HEADS, KEY_HEADS, KEY_WIDTH = 576, 9, 3, 192
RANK = 2


def write_peft(folder: Path, tensors: dict[str, NDArray[np.float32]], *, alpha: float = 4.0, **config: object) -> Path:
    """A folder as PEFT writes it; safetensors is a length, a JSON header and the bytes."""
    folder.mkdir(exist_ok=True)
    (folder / CONFIG).write_text(json.dumps({"peft_type": "LORA", "lora_alpha": alpha, **config}))
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, values in tensors.items():
        data = values.astype("<f4").tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(values.shape),
            "data_offsets": [len(body), len(body) + len(data)],
        }
        body += data
    text = json.dumps(header).encode()
    (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text + body)
    return folder


def pair(module: str, wide: int, high: int, seed: int) -> dict[str, NDArray[np.float32]]:
    chance = np.random.default_rng(seed)
    stem = f"base_model.model.model.layers.{module}"
    return {
        f"{stem}.lora_A.weight": chance.normal(size=(RANK, wide)).astype(np.float32),
        f"{stem}.lora_B.weight": chance.normal(size=(high, RANK)).astype(np.float32),
    }


@pytest.fixture
def base(models_path: Path) -> Path:
    return find_model(Settings(_env_file=None, models=models_path))  # pyright: ignore[reportCallIssue]


def test_every_row_is_learned_once_an_epoch_in_an_order_that_the_seed_decides() -> None:
    batches = order(ROWS, 8, 1.0, seed=1)
    assert sorted(number for batch in order(ROWS, 10, 1.0, seed=1) for number in batch) == list(range(100))
    assert batches == order(ROWS, 8, 1.0, seed=1)
    assert batches != order(ROWS, 8, 1.0, seed=2)
    assert len(order(ROWS, 8, 2.5, seed=1)) == round(100 * 2.5 / 8)


def test_batches_hold_rows_of_like_length() -> None:
    padding = sum(
        max(len(ROWS[number].tokens) for number in batch) * len(batch) - sum(len(ROWS[n].tokens) for n in batch)
        for batch in order(ROWS, 10, 1.0, seed=3)
    )
    assert padding < 0.25 * sum(len(row.tokens) for row in ROWS)


def test_examples_that_are_too_long_are_counted_never_cut() -> None:
    examples = [Example(prompt="a b c", completion="d"), Example(prompt="a " * 50, completion="d")]
    data = tokenise(examples, lambda text: [len(word) for word in text.split()], max_tokens=10)
    assert (len(data.rows), data.left_out) == (1, 1)
    assert data.rows[0].answer == 1
    with pytest.raises(InputError, match="max_tokens"):
        tokenise(examples[1:], lambda text: [1] * len(text), max_tokens=10)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no rows"),
        ('{"prompt": "a"}', "line 1: completion"),
        ('{"prompt": "a", "completion": "b"}\nnonsense', "line 2"),
        ('{"prompt": "a", "completion": ""}', "line 1: completion"),
    ],
)
def test_a_wrong_file_is_named_by_line_and_field(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_examples(path)


def test_conversion_permutes_queries_and_keys_and_nothing_else(tmp_path: Path, base: Path) -> None:
    tensors = {
        **pair("0.self_attn.q_proj", HIDDEN, HIDDEN, 1),
        **pair("0.self_attn.k_proj", HIDDEN, KEY_WIDTH, 2),
        **pair("3.self_attn.v_proj", HIDDEN, KEY_WIDTH, 3),
    }
    folder = write_peft(tmp_path / "peft", tensors)
    source = open_model_file(base, tmp_path).sha256
    adapter = convert(folder, base, source, tmp_path / "out.gguf")
    assert (adapter.rank, adapter.alpha, adapter.targets) == (RANK, 4.0, ("attn_k", "attn_q", "attn_v"))
    assert adapter.source_hash == source
    found = {tensor.name: np.array(tensor.data) for tensor in gguf.GGUFReader(tmp_path / "out.gguf").tensors}
    stem = "base_model.model.model.layers."
    wide = tensors[f"{stem}0.self_attn.q_proj.lora_B.weight"]
    np.testing.assert_array_equal(
        found["blk.0.attn_q.weight.lora_a"], tensors[f"{stem}0.self_attn.q_proj.lora_A.weight"]
    )
    # transformers rotates the halves of a head, llama.cpp neighbouring pairs: row 1 is the second half's first row.
    np.testing.assert_array_equal(found["blk.0.attn_q.weight.lora_b"][1], wide[HIDDEN // HEADS // 2])
    narrow = tensors[f"{stem}0.self_attn.k_proj.lora_B.weight"]
    np.testing.assert_array_equal(found["blk.0.attn_k.weight.lora_b"][1], narrow[KEY_WIDTH // KEY_HEADS // 2])
    np.testing.assert_array_equal(
        found["blk.3.attn_v.weight.lora_b"], tensors[f"{stem}3.self_attn.v_proj.lora_B.weight"]
    )
    assert blocks_of(tmp_path / "out.gguf") == [0, 3]
    keep_block(tmp_path / "out.gguf", 3, tmp_path / "part.gguf")
    assert open_adapter(tmp_path / "part.gguf").targets == ("attn_v",)
    assert blocks_of(tmp_path / "part.gguf") == [3]


def test_an_adapter_of_another_model_is_refused(tmp_path: Path, base: Path) -> None:
    folder = write_peft(tmp_path / "peft", pair("0.self_attn.v_proj", 64, 64, 1))
    with pytest.raises(ModelError, match="does not fit"):
        convert(folder, base, "", tmp_path / "out.gguf")
    unknown = write_peft(tmp_path / "other", pair("0.mixer.in_proj", HIDDEN, HIDDEN, 1))
    with pytest.raises(ModelError, match="does not have"):
        convert(unknown, base, "", tmp_path / "out.gguf")
    assert not (tmp_path / "out.gguf").exists()


def test_a_kind_of_lora_that_llama_cpp_lacks_is_refused(tmp_path: Path, base: Path) -> None:
    folder = write_peft(tmp_path / "peft", pair("0.self_attn.v_proj", HIDDEN, KEY_WIDTH, 1), use_dora=True)
    with pytest.raises(ModelError, match="DoRA"):
        convert(folder, base, "", tmp_path / "out.gguf")


@pytest.mark.parametrize(
    "damage", [b"", b"\xff" * 64, struct.pack("<Q", 10) + b'{"a": 1}  '], ids=["empty", "noise", "no tensors"]
)
def test_damaged_weights_are_named(tmp_path: Path, base: Path, damage: bytes) -> None:
    folder = write_peft(tmp_path / "peft", pair("0.self_attn.v_proj", HIDDEN, KEY_WIDTH, 1))
    (folder / WEIGHTS).write_bytes(damage)
    with pytest.raises(ModelMissingError, match="train again"):
        convert(folder, base, "", tmp_path / "out.gguf")
    (folder / WEIGHTS).unlink()
    with pytest.raises(ModelMissingError, match="train again"):
        convert(folder, base, "", tmp_path / "out.gguf")


def test_a_packed_sequence_has_the_common_start_once_and_nothing_that_is_not_read() -> None:
    rows = [Tokenised((1, 2, 3, 10, 4, 50), 1), Tokenised((1, 2, 3, 11, 12, 4, 60, 61), 2, weight=2.0)]
    packed = pack(rows)
    assert packed.tokens == (1, 2, 3, 10, 4, 11, 12, 4, 60)
    assert packed.places == (0, 1, 2, 3, 4, 3, 4, 5, 6)
    assert packed.owners == (-1, -1, -1, 0, 0, 1, 1, 1, 1)
    # After its prompt's last token each row learns its answer; the second goes on from there.
    assert packed.learned == ((4, 50, 1.0), (7, 60, 2.0), (8, 61, 2.0))


def test_a_row_alone_and_prompts_that_are_all_alike_pack_too() -> None:
    alone = pack([Tokenised((1, 2, 3), 1)])
    assert (alone.tokens, alone.owners, alone.learned) == ((1, 2), (-1, -1), ((1, 3, 1.0),))
    alike = pack([Tokenised((1, 2, 3), 1), Tokenised((1, 2, 4), 1)])
    assert (alike.tokens, alike.learned) == ((1, 2), ((1, 3, 1.0), (1, 4, 1.0)))


@pytest.mark.parametrize("together", [1, 4])
def test_what_is_read_at_once_is_limited_by_tokens_and_loses_no_row(together: int) -> None:
    parts = read_at_once(ROWS, together)
    assert [row for part in parts for row in part] == ROWS
    assert all(len(part) == 1 or len(pack(part).tokens) <= together * TOKENS_A_ROW for part in parts)
