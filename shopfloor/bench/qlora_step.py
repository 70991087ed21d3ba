"""Steps of QLoRA on the TinyLlama shape: ``python -m shopfloor.bench.qlora_step WHAT FOLDER TOKENS``, in the trainers' environment.

Random weights of the exact sizes, in NF4 with double quantisation and bfloat16 arithmetic, gradient checkpointing, LoRA of
rank 8 on all linear layers (Dettmers et al. 2023, arXiv 2305.14314). Prints one JSON line.
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from shopfloor.local_models.fit_shapes import Shape, shape_named
from shopfloor.local_models.hf_files import four_bits, library

NAME = "TinyLlama-1.1B-Chat"
RANK = 8
STEPS = 2


def config_of(shape: Shape) -> Any:
    """The shape as transformers names it."""
    return library("transformers").LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_width,
        tie_word_embeddings=shape.tied,
    )


def write_base(shape: Shape, folder: Path) -> None:
    """Write random weights in bfloat16 (blocking; 2.2 GB for TinyLlama's shape)."""
    torch, transformers = library("torch"), library("transformers")
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    transformers.LlamaForCausalLM(config_of(shape)).save_pretrained(str(folder))


def train(shape: Shape, folder: Path, tokens: int) -> dict[str, float]:
    """Load the base in four bits and make the steps on one row of ``tokens``; seconds, MB and losses."""
    torch, transformers, peft = library("torch"), library("transformers"), library("peft")
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    began = time.perf_counter()
    base = transformers.LlamaForCausalLM.from_pretrained(
        str(folder), quantization_config=four_bits(torch.bfloat16), dtype=torch.bfloat16, device_map={"": device}
    )
    loading = time.perf_counter() - began
    base = peft.prepare_model_for_kbit_training(base, use_gradient_checkpointing=True)
    lora = peft.LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", task_type="CAUSAL_LM")
    model = peft.get_peft_model(base, lora)
    model.train()
    optimiser = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=1e-3)
    ids = torch.randint(0, shape.vocabulary, (1, tokens), device=device)
    seconds: list[float] = []
    losses: list[float] = []
    for _ in range(STEPS):
        began = time.perf_counter()
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(float(loss))
        seconds.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    on_card = torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else 0.0
    return {
        "loading": loading,
        "step": min(seconds),
        "peak_mb": peak,
        "card_mb": on_card,
        "first_loss": losses[0],
        "last_loss": losses[-1],
    }


def main() -> None:
    """Entry of the process: ``write`` makes the base, ``train`` trains on it, each with memory of its own."""
    what, folder = sys.argv[1], Path(sys.argv[2])
    shape = shape_named(NAME)
    assert shape is not None
    if what == "write":
        write_base(shape, folder)
    else:
        print(json.dumps(train(shape, folder, int(sys.argv[3]))), flush=True)


if __name__ == "__main__":
    main()
