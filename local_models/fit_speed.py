"""Predicts how fast a model reads prompts and answers, from short measurements on this machine.

Models with random weights (8 layers: 200 MB in Q4_0; of 2 layers enough stays in a processor's caches that prompts are
read twice as fast) are run in each form by the same library, which gives the time a megabyte of that form takes. A thin one gives the time of a step that does not depend on size. A
model's time for a token is then the sum over its tensors. A graphics card, or another machine, is estimated from its
memory bandwidth.
"""

import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gguf.constants import GGMLQuantizationType as Kind

from shopfloor.local_models.fit_measure import Job, Measured, measure_apart
from shopfloor.local_models.fit_memory import lays_out_anew
from shopfloor.local_models.fit_random import write_random
from shopfloor.local_models.fit_shapes import Form, Shape, Tensor, plan

WIDE = Shape("probe", "llama", 8, 2048, 32, 8, 64, 5632, 4096, tied=True)
THIN = Shape("thin probe", "llama", 24, 256, 4, 4, 64, 512, 4096, tied=True)
CONTEXT = 512
PROMPT = 256  # tokens read by a probe
ANSWER = 16
ROUNDS = 4
LIMIT_S = 2.0  # for the rounds of a probe: on a busy machine there are fewer
PROBED: dict[Kind, Form] = {
    Kind.Q4_0: "Q4_0",
    Kind.Q4_1: "Q4_1",
    Kind.Q5_0: "Q5_0",
    Kind.Q5_1: "Q5_1",
    Kind.Q4_K: "Q4_K_M",
    Kind.Q6_K: "Q6_K",
    Kind.Q8_0: "Q8_0",
    Kind.F16: "F16",
}
LIKE = {Kind.Q5_K: Kind.Q6_K, Kind.IQ4_NL: Kind.Q4_0, Kind.BF16: Kind.F16}
FIRST = (Kind.Q6_K, Kind.Q8_0)  # the others hold tensors of these
UNKNOWN = Kind.Q6_K

GPU_SHARE = 0.6  # of the stated memory bandwidth that decoding reaches: an assumption, not measured here
GPU_PROMPT = 25  # times as fast as decoding a prompt is read on a graphics card: an assumption


@dataclass(frozen=True, slots=True)
class Rates:
    """What this machine does. ``decode``: seconds a byte by form; ``prompt``: seconds a weight and token by form.

    ``step_s`` and ``layer_s`` are spent for each token whatever the size; ``prompt_layer_s`` for each layer of a step.
    """

    decode: dict[Kind, float]
    prompt: dict[Kind, float]
    step_s: float
    layer_s: float
    prompt_layer_s: float


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens a second: of a prompt, and of an answer. ``measured``: by probes here, else estimated from bandwidth."""

    prompt: float
    answer: float
    measured: bool


def probe(kinds: Collection[Kind], threads: int) -> Rates:
    """Measure the forms in question (blocking, 3 to 5 s each).

    Raises:
        ModelError: the library can't run here.
        OSError: no room for a probe (200 to 700 MB) in the temporary folder.
    """
    wanted = {LIKE.get(kind, kind) for kind in kinds}
    forms = [kind for kind in (*FIRST, *PROBED) if kind in FIRST or kind in wanted]
    with tempfile.TemporaryDirectory(prefix="shopfloor-fit-") as folder:
        thin = _run(THIN, "Q8_0", Path(folder), threads)
        step = _seconds(thin)
        rates = Rates({}, {}, step_s=0.0, layer_s=step[1] / THIN.layers, prompt_layer_s=step[0] * PROMPT / THIN.layers)
        for kind in dict.fromkeys(forms):
            rates = _with(rates, kind, _run(WIDE, PROBED[kind], Path(folder), threads))
    return rates


def speed_of(shape: Shape, tensors: Sequence[Tensor], rates: Rates, *, prompt: int = PROMPT) -> Speed:
    """The speeds to expect of a model here."""
    read, reads = _sum(tensors, rates)
    answer = rates.step_s + rates.layer_s * shape.layers + read
    asked = rates.prompt_layer_s * shape.layers / prompt + reads
    return Speed(1 / asked, 1 / answer, measured=True)


def estimated_speed(tensors: Sequence[Tensor], bandwidth: float) -> Speed:
    """The speeds to expect of memory that is read at ``bandwidth`` bytes a second (0: not known)."""
    size = sum(tensor.size for tensor in tensors if not _is_table(tensor, tensors))
    answer = GPU_SHARE * bandwidth / size
    return Speed(answer * GPU_PROMPT, answer, measured=False)


def _run(shape: Shape, form: Form, folder: Path, threads: int) -> Measured:
    path = write_random(shape, form, folder / f"{shape.name}.{form}.gguf".replace(" ", "-"))
    copied = lays_out_anew(plan(shape, form))
    job = Job(
        str(path),
        CONTEXT,
        1,
        threads,
        prompt=PROMPT,
        answer=ANSWER,
        rounds=ROUNDS,
        limit_s=LIMIT_S,
        fill=False,
        copied=copied,
    )
    try:
        return measure_apart(job)
    finally:
        path.unlink()


def _seconds(found: Measured) -> tuple[float, float]:
    """For a token of the prompt, and of the answer."""
    return 1 / found.prompt_speed, 1 / found.answer_speed


def _with(rates: Rates, kind: Kind, found: Measured) -> Rates:
    """The rates with those of one more form, by what its probe took beyond what is known."""
    tensors = plan(WIDE, PROBED[kind])
    own = [tensor for tensor in tensors if tensor.kind == kind]
    known = [tensor for tensor in tensors if tensor.kind != kind]
    read, reads = _sum(known, rates) if known and rates.decode else (0.0, 0.0)
    prompt_s, answer_s = _seconds(found)
    size = sum(tensor.size for tensor in own)
    body = sum(tensor.elements for tensor in own if tensor.name.startswith("blk."))
    decode = max(answer_s - rates.layer_s * WIDE.layers - read, answer_s / 10) / size
    asked = max(prompt_s - rates.prompt_layer_s * WIDE.layers / PROMPT - reads, prompt_s / 10) / body
    return replace(rates, decode={**rates.decode, kind: decode}, prompt={**rates.prompt, kind: asked})


def _sum(tensors: Sequence[Tensor], rates: Rates) -> tuple[float, float]:
    """Seconds to read all weights once, and for a token of a prompt."""
    read = reads = 0.0
    for tensor in tensors:
        if _is_table(tensor, tensors) or len(tensor.shape) == 1:
            continue
        kind = LIKE.get(tensor.kind, tensor.kind)
        kind = kind if kind in rates.decode else UNKNOWN
        read += tensor.size * rates.decode[kind]
        if tensor.name.startswith("blk."):
            reads += tensor.elements * rates.prompt[kind]
    return read, reads


def _is_table(tensor: Tensor, tensors: Sequence[Tensor]) -> bool:
    """Whether a tensor is only looked up, one row a token: the input table where there is an output matrix besides."""
    return tensor.name == "token_embd.weight" and any(other.name == "output.weight" for other in tensors)
