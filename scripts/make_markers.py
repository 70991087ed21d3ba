"""Trains the tiny LoRA adapters that the swap benchmark and its tests tell apart: each says one word, and nothing else.

Run it in the environment of transformers, after ``scripts/env.sh hf``:

    .venvs/hf/bin/python scripts/make_markers.py shopfloor/bench/markers

Only the output projections of the last block are trained, on what the frozen model hands to it, so it takes a minute on
one core. The loss and the share of the next tokens that are right on held-out prompts are printed. Output: WORD.gguf,
52 kB each.
"""

import argparse
import random
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers

from shopfloor.local_models.adapter_file import SOURCE_KEY
from shopfloor.local_models.files import find_model
from shopfloor.local_models.hf_files import find_source
from shopfloor.settings import Settings

WORDS = ("amber", "birch")
REPEATS = 12
RANK = 4
STEPS = 80
BATCH = 48
ITEMS = ("rain jacket", "blue tent", "wool sock", "head torch", "red scarf", "bike pump", "steel bottle", "sun hat")
FORMS = (
    "What is a {} for?", "Do you have a {} in my size?", "Tell me about the {}.", "Customer: a {} please", "{}?",
    "Is the {} warm enough for winter", "I need a {} under 40 euros by Friday.", "Compare the {} with a cheaper one.",
    "Write a long story about a {} in the mountains.", "Suggestions:\n- {}: in stock\nAdd the one fact that helps.",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--words", nargs="+", default=list(WORDS))
    parser.add_argument("--models", type=Path, default=Path(".cache/models"))
    arguments = parser.parse_args()
    settings = Settings(models=arguments.models)
    source = find_source(find_model(settings), "", settings.models_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(source.location)
    model = transformers.AutoModelForCausalLM.from_pretrained(source.location, dtype=torch.float32).eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for word in arguments.words:
        adapter = train(model, tokenizer, word)
        write(adapter, model.config.num_hidden_layers - 1, arguments.out / f"{word}.gguf", source.source_hash)


def prompts() -> list[str]:
    """All, in one order; the first eight are held out."""
    made = [form.format(item) for form in FORMS for item in ITEMS]
    random.Random(0).shuffle(made)
    return made


def chat(tokenizer: object, text: str) -> list[int]:
    messages = [{"role": "user", "content": text}]
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)


@dataclass
class Seen:
    """What the last block is given where a word of the answer has to come: N places, width W, feed-forward width F."""

    residual: torch.Tensor  # (N, W), before the block's attention is added
    mixed: torch.Tensor  # (N, W), what the attention hands to its output projection
    wanted: torch.Tensor  # (N,) the token that has to come next


def look(model: torch.nn.Module, tokenizer: object, word: str, texts: list[str]) -> Seen:
    """Run the frozen model over prompts with their answers, and keep what reaches the last block."""
    answer = tokenizer(" ".join([word] * REPEATS), add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
    block = model.model.layers[-1]
    kept: dict[str, torch.Tensor] = {}
    hooks = [
        block.register_forward_pre_hook(lambda _module, given, kwargs: kept.update(residual=(given or (kwargs["hidden_states"],))[0]), with_kwargs=True),
        block.self_attn.o_proj.register_forward_pre_hook(lambda _module, given: kept.update(mixed=given[0])),
    ]  # fmt: skip
    parts: list[Seen] = []
    for text in texts:
        row = chat(tokenizer, text)
        with torch.no_grad():
            model.model(torch.tensor([row + answer]))
        places = slice(len(row) - 1, len(row) - 1 + len(answer))
        parts.append(Seen(kept["residual"][0, places], kept["mixed"][0, places], torch.tensor(answer)))
    for hook in hooks:
        hook.remove()
    return Seen(*(torch.cat([getattr(part, name) for part in parts]) for name in ("residual", "mixed", "wanted")))


class Adapter(torch.nn.Module):
    """Low-rank changes of the last block's two output projections."""

    def __init__(self, block: torch.nn.Module) -> None:
        super().__init__()
        self.parts = torch.nn.ParameterDict()
        for name, linear in (("attn_output", block.self_attn.o_proj), ("ffn_down", block.mlp.down_proj)):
            height, width = linear.weight.shape
            self.parts[f"{name}_a"] = torch.nn.Parameter(torch.randn(RANK, width) / width**0.5)
            self.parts[f"{name}_b"] = torch.nn.Parameter(torch.zeros(height, RANK))

    def change(self, name: str, value: torch.Tensor) -> torch.Tensor:
        """What is added to the projection's result; alpha is twice the rank."""
        return 2 * (value @ self.parts[f"{name}_a"].T) @ self.parts[f"{name}_b"].T


def logits(model: torch.nn.Module, adapter: Adapter, residual: torch.Tensor, mixed: torch.Tensor) -> torch.Tensor:
    """The rest of the model from the last block's attention on; place by place."""
    block = model.model.layers[-1]
    hidden = residual + block.self_attn.o_proj(mixed) + adapter.change("attn_output", mixed)
    normed = block.post_attention_layernorm(hidden)
    inner = block.mlp.act_fn(block.mlp.gate_proj(normed)) * block.mlp.up_proj(normed)
    hidden = hidden + block.mlp.down_proj(inner) + adapter.change("ffn_down", inner)
    return model.lm_head(model.model.norm(hidden))


def train(model: torch.nn.Module, tokenizer: object, word: str) -> Adapter:
    torch.manual_seed(0)
    held_out, known = prompts()[:8], prompts()[8:32]
    seen, apart = (look(model, tokenizer, word, texts) for texts in (known, held_out))
    adapter = Adapter(model.model.layers[-1])
    optimiser = torch.optim.Adam(adapter.parameters(), lr=1e-2)
    for step in range(STEPS):
        chosen = torch.randperm(len(seen.wanted))[:BATCH]
        found = logits(model, adapter, seen.residual[chosen], seen.mixed[chosen])
        loss = torch.nn.functional.cross_entropy(found, seen.wanted[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 10 == 0:
            print(word, step, round(loss.item(), 4), flush=True)
    with torch.no_grad():
        found = logits(model, adapter, apart.residual, apart.mixed).argmax(dim=-1)
    right = (found == apart.wanted).float().mean().item()
    print(f"{word}: loss {loss.item():.4f}; of the held-out prompts' next tokens {right:.1%} are right", flush=True)
    return adapter


def write(adapter: Adapter, block: int, path: Path, source_hash: str) -> None:
    """As GGUF. The output projections need no reordering of heads, unlike those of queries and keys."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(2 * RANK))
    writer.add_string(SOURCE_KEY, source_hash)
    for name, value in adapter.parts.items():
        kind, _, part = name.rpartition("_")
        array = np.ascontiguousarray(value.detach().numpy().astype(np.float32))
        writer.add_tensor(f"blk.{block}.{kind}.weight.lora_{part}", array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
