"""A base model of two small layers with random weights, in transformers' format: trains in a blink, learns a little."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file  # pyright: ignore[reportUnknownVariableType]

TEXT = (
    "<|im_start|> <|im_end|> <unk> user assistant a any are at blue boots can coat do for have hello help how i in is it"
    " jacket me my of order other product red route shop stock store the there to want warm what where which wool you"
)
WORDS = TEXT.split()
HIDDEN, LAYERS, HEADS, INNER = 32, 2, 4, 64
TEMPLATE = (
    "{% for message in messages %}<|im_start|> {{ message['role'] }} {{ message['content'] }} <|im_end|> {% endfor %}"
    "{% if add_generation_prompt %}<|im_start|> assistant {% endif %}"
)


def write_tiny_base(folder: Path) -> Path:
    """Write it, and return its folder."""
    folder.mkdir(parents=True)
    chance = np.random.default_rng(0)
    shapes = {"model.embed_tokens.weight": (len(WORDS), HIDDEN)}
    for layer in range(LAYERS):
        block = f"model.layers.{layer}"
        shapes |= {f"{block}.self_attn.{name}_proj.weight": (HIDDEN, HIDDEN) for name in "qkvo"}
        shapes |= {f"{block}.mlp.{name}_proj.weight": (INNER, HIDDEN) for name in ("gate", "up")}
        shapes |= {f"{block}.mlp.down_proj.weight": (HIDDEN, INNER)}
    weights = {name: chance.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}
    norms = [
        f"model.layers.{layer}.{name}_layernorm" for layer in range(LAYERS) for name in ("input", "post_attention")
    ]
    weights |= {f"{name}.weight": np.ones(HIDDEN, dtype=np.float32) for name in (*norms, "model.norm")}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5,
        "vocab_size": len(WORDS),
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 1,
    }
    special = [
        {"id": number, "content": WORDS[number], "special": True}
        | dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        for number in (0, 1)
    ]
    tokenizer = {
        "version": "1.0",
        "added_tokens": special,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": {"type": "WordLevel", "vocab": {word: at for at, word in enumerate(WORDS)}, "unk_token": "<unk>"},
    }
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": WORDS[0],
        "eos_token": WORDS[1],
        "unk_token": "<unk>",
        "chat_template": TEMPLATE,
    }
    for name, content in (
        ("config.json", config),
        ("tokenizer.json", tokenizer),
        ("tokenizer_config.json", settings),
    ):
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder
