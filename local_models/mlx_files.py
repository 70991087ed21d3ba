"""Finds what MLX loads: a folder, a repository's name, or a GGUF file converted once and kept.

Converted are GGUF files of Llama's shape with byte-level vocabularies (SmolLM2's and their like); of other models, name
a folder or a repository in the usual safetensors form.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf.quants import dequantize
from numpy.typing import NDArray
from safetensors.numpy import save_file  # pyright: ignore[reportUnknownVariableType]

from shopfloor.errors import ModelError, ModelMissingError
from shopfloor.local_models.converting import converted
from shopfloor.local_models.files import ModelFile, file_hash, open_model_file
from shopfloor.local_models.gguf_file import GgufHeader
from shopfloor.local_models.row_order import INTERLEAVED, halved, heads_of

LAYOUT = "1"  # of what is written; a change makes converted folders anew
NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
NORMS = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
OUTER = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
BYTE_LEVEL: dict[str, Any] = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
SPLITS: dict[str, list[dict[str, Any]]] = {  # how a text is cut before its tokens are looked up
    "smollm": [{"type": "Digits", "individual_digits": True}, BYTE_LEVEL],
    "gpt-2": [BYTE_LEVEL],
    "default": [BYTE_LEVEL],
}
CONTROL, OWN = 3, 4  # kinds of tokens in a GGUF file


@dataclass(frozen=True, slots=True)
class MlxSource:
    """What to load: ``location`` is a folder or a repository; hashes as in ModelInfo. ``file`` is the GGUF behind it."""

    location: str
    name: str
    source_hash: str
    form_hash: str
    licence: str
    file: ModelFile | None = None


def find_source(model: Path | None, repository: str, models_path: Path) -> MlxSource:
    """Settle what to load (blocking; converts a GGUF file once, which takes some seconds).

    Raises:
        ModelMissingError: the file or folder is absent or damaged.
        ModelError: the conversion failed or there is no room for it.
    """
    if model is None:
        digest = hashlib.sha256(repository.encode()).hexdigest()
        return MlxSource(repository, repository.rpartition("/")[2], digest, digest, "unknown")
    if model.is_dir():
        weights = sorted(model.glob("*.safetensors"))
        if not weights or not (model / "config.json").is_file():
            raise ModelMissingError(f"{model} holds no config.json with safetensors: name a model's folder")
        digest = hashlib.sha256("".join(file_hash(path, models_path) for path in weights).encode()).hexdigest()
        return MlxSource(str(model), model.name, digest, digest, "unknown")
    source = open_model_file(model, models_path)
    folder = converted(source, models_path, f"mlx-{LAYOUT}", _convert)
    form = hashlib.sha256(f"{source.sha256} mlx {LAYOUT}".encode()).hexdigest()
    return MlxSource(str(folder), source.name, source.sha256, form, source.licence, source)


def _convert(source: ModelFile, folder: Path) -> None:
    header = source.header
    if header.architecture != "llama":
        raise ModelError(f"{source.path} can't be converted for MLX: name a folder or a repository instead")
    reader = gguf.GGUFReader(source.path)
    weights = {_name(str(tensor.name)): _weight(tensor, header) for tensor in reader.tensors}
    save_file(weights, folder / "model.safetensors", metadata={"format": "mlx"})
    tokenizer, settings = _tokenizer(reader, source)
    _write(folder / "config.json", _config(reader, header, tied="lm_head.weight" not in weights))
    _write(folder / "tokenizer.json", tokenizer)
    _write(folder / "tokenizer_config.json", settings)


def _name(name: str) -> str:
    if not name.startswith("blk."):
        outer, _, part = name.rpartition(".")
        return f"{OUTER.get(outer, outer)}.{part}"
    _, block, kind, part = name.split(".")
    return f"model.layers.{block}.{NAMES.get(kind) or NORMS.get(kind, kind)}.{part}"


def _weight(tensor: Any, header: GgufHeader) -> NDArray[np.float16]:
    values = dequantize(tensor.data, tensor.tensor_type)
    kind = str(tensor.name).removesuffix(".weight").rpartition(".")[2]
    if kind in INTERLEAVED["llama"]:
        values = halved(values, heads_of(header, kind))
    return np.ascontiguousarray(values, dtype=np.float16)


def _config(reader: gguf.GGUFReader, header: GgufHeader, *, tied: bool) -> dict[str, Any]:
    return {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": header.of_architecture("embedding_length"),
        "intermediate_size": header.of_architecture("feed_forward_length"),
        "num_hidden_layers": header.of_architecture("block_count"),
        "num_attention_heads": header.of_architecture("attention.head_count"),
        "num_key_value_heads": header.of_architecture("attention.head_count_kv"),
        "max_position_embeddings": header.of_architecture("context_length"),
        "rms_norm_eps": float(_value(reader, "llama.attention.layer_norm_rms_epsilon", 1e-5)),
        "rope_theta": float(_value(reader, "llama.rope.freq_base", 10_000.0)),
        "vocab_size": len(_value(reader, "tokenizer.ggml.tokens", [])),
        "tie_word_embeddings": tied,
        "eos_token_id": int(_value(reader, "tokenizer.ggml.eos_token_id", 0)),
    }


def _tokenizer(reader: gguf.GGUFReader, source: ModelFile) -> tuple[dict[str, Any], dict[str, Any]]:
    kind, split = str(_value(reader, "tokenizer.ggml.model", "")), str(_value(reader, "tokenizer.ggml.pre", "default"))
    if kind != "gpt2" or split not in SPLITS:
        raise ModelError(
            f"the vocabulary of {source.path} ({kind}, {split}) can't be converted: name a folder or a repository instead"
        )
    tokens: list[str] = _value(reader, "tokenizer.ggml.tokens", [])
    kinds: list[int] = _value(reader, "tokenizer.ggml.token_type", [1] * len(tokens))
    added = [
        {"id": number, "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
        | {"special": kind == CONTROL}
        for number, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
        if kind in (CONTROL, OWN)
    ]
    merges = [merge.split(" ", 1) for merge in _value(reader, "tokenizer.ggml.merges", [])]
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": SPLITS[split]},
        "post_processor": None,
        "decoder": {**BYTE_LEVEL, "add_prefix_space": True},
        "model": {"type": "BPE", "vocab": {token: number for number, token in enumerate(tokens)}, "merges": merges},
    }
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": tokens[int(_value(reader, "tokenizer.ggml.eos_token_id", 0))],
        "bos_token": tokens[int(_value(reader, "tokenizer.ggml.bos_token_id", 0))],
        "clean_up_tokenization_spaces": False,
        "chat_template": str(_value(reader, "tokenizer.chat_template", "")),
    }
    return tokenizer, settings


def _value(reader: gguf.GGUFReader, key: str, default: Any) -> Any:
    field = reader.get_field(key)
    return default if field is None else field.contents()


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
