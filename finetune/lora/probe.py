"""What trained weights say next: ``python -m shopfloor.finetune.lora.probe REQUEST.json`` in the trainer's environment.

Writes the log-probabilities over the whole vocabulary for each prompt, with the whole adapter, with none, or with one
block of it alone, so that the serving runtime's can be compared with them.
"""

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from shopfloor.local_models.hf_files import library


class ProbeRequest(BaseModel):
    """What to ask. ``blocks`` names a block for each reading: -1 the whole adapter, -2 none."""

    base: Path
    adapter: Path
    prompts: list[str]
    blocks: list[int] = [-1]
    target: Path


WHOLE = -1
NONE = -2


def probe(request: ProbeRequest) -> None:
    """Write an array of shape (readings, prompts, vocabulary), natural logarithms, as ``request.target`` (.npy)."""
    torch, transformers, peft = library("torch"), library("transformers"), library("peft")
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(request.base))
    base = transformers.AutoModelForCausalLM.from_pretrained(str(request.base), dtype=torch.float32)
    model = peft.PeftModel.from_pretrained(base, str(request.adapter)).eval()
    readings: list[Any] = []
    for block in request.blocks:
        with torch.inference_mode(), _only(model, block):
            rows = [_next(torch, model, tokenizer, prompt) for prompt in request.prompts]
        readings.append(np.stack(rows))
    np.save(request.target, np.stack(readings), allow_pickle=False)


def _next(torch: Any, model: Any, tokenizer: Any, prompt: str) -> Any:
    ids = torch.tensor([tokenizer(prompt, add_special_tokens=False)["input_ids"]])
    logits = model(input_ids=ids, use_cache=False, logits_to_keep=1).logits[0, -1]
    return torch.log_softmax(logits.float(), dim=-1).numpy()


@contextmanager
def _only(model: Any, block: int) -> Generator[None]:
    """The model with one block's part of the adapter switched on."""
    layers = [
        (name, layer) for name, layer in model.named_modules() if isinstance(getattr(layer, "scaling", None), dict)
    ]
    kept = [dict(layer.scaling) for _, layer in layers]
    for name, layer in layers:
        if block != WHOLE and f".layers.{block}." not in name:
            layer.scaling = dict.fromkeys(layer.scaling, 0.0)
    try:
        yield
    finally:
        for (_, layer), scaling in zip(layers, kept, strict=True):
            layer.scaling = scaling


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer one request."""
    (path,) = sys.argv[1:] if arguments is None else arguments
    probe(ProbeRequest.model_validate_json(Path(path).read_text(encoding="utf-8")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
