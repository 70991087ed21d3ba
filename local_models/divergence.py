"""Checks a derived form against its source: does it say the same, and is it faster on this machine?

Same means: the Kullback-Leibler divergence of the next-token distribution, source against form, averaged over the
prompts in ``data/divergence_prompts.txt``, stays under :data:`LIMIT`. The verdict is kept beside the form.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

from shopfloor.local_models.llama_server import Json, LlamaServer, ServerOptions
from shopfloor.local_models.locking import write_atomically

LIMIT = 0.02
TOP = 1024  # tokens compared one by one; the rest counts as one, which can only make the divergence smaller by its tail
SPEED_TOKENS = 240
SPEED_ANSWER = 24
SPEED_ROUNDS = 3
TURN_PROMPT, TURN_ANSWER = 240, 40  # tokens of a usual turn
SLOWEST = 0.95  # of the source's speed: measuring beside other work is not exact


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a form may stand in for its source, and the measurements behind it.

    ``divergence`` is the mean in nats, ``worst`` the largest of a single prompt, ``same_top`` the share of prompts with
    the same most likely token; speeds are prompt tokens a second on this machine.
    """

    accepted: bool
    divergence: float
    worst: float
    same_top: float
    prompts: int
    source_speed: float
    form_speed: float


def read_verdict(form: Path) -> Verdict | None:
    """The verdict kept beside a form, if it was checked."""
    try:
        return Verdict(**json.loads(_verdict_path(form).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class Likeness:
    """How much two models say the same: ``mean`` and ``worst`` divergence in nats, ``same_top`` a share of prompts."""

    mean: float
    worst: float
    same_top: float
    prompts: int


@dataclass(frozen=True, slots=True)
class Pace:
    """Tokens a second of a prompt and of an answer; the best of the rounds measured."""

    prompt: float
    answer: float

    def turn_s(self) -> float:
        """Seconds of a usual turn."""
        return TURN_PROMPT / self.prompt + TURN_ANSWER / self.answer


def check_form(source: Path, form: Path, threads: int) -> Verdict:
    """Compare a form with its source and keep the verdict (blocking, some 5 to 10 s).

    Raises:
        ModelError: one of the files can't be loaded.
    """
    one, other = (LlamaServer(ServerOptions(path, 512, slots=1, threads=threads, batch=256)) for path in (source, form))
    try:
        like = likeness(one, other)
        source_pace, form_pace = paces(one, other)
    finally:
        one.close()
        other.close()
    verdict = Verdict(
        accepted=like.mean < LIMIT and form_pace.prompt >= SLOWEST * source_pace.prompt,
        divergence=like.mean,
        worst=like.worst,
        same_top=like.same_top,
        prompts=like.prompts,
        source_speed=source_pace.prompt,
        form_speed=form_pace.prompt,
    )
    write_atomically(_verdict_path(form), json.dumps(asdict(verdict), indent=1).encode())
    return verdict


def likeness(source: LlamaServer, form: LlamaServer, prompts: Sequence[str] | None = None) -> Likeness:
    """Compare the next tokens after every prompt (blocking, about 2 s); without prompts those of this package."""
    prompts = prompts or divergence_prompts()
    said = [next_token(source.complete, prompt, TOP) for prompt in prompts]
    says = [next_token(form.complete, prompt, TOP) for prompt in prompts]
    values = [divergence(one, other) for one, other in zip(said, says, strict=True)]
    same = [_likeliest(one) == _likeliest(other) for one, other in zip(said, says, strict=True)]
    return Likeness(sum(values) / len(values), max(values), sum(same) / len(same), len(prompts))


def paces(one: LlamaServer, other: LlamaServer) -> tuple[Pace, Pace]:
    """The paces of two models, measured turn about, so that another busy program slows both down alike."""
    rounds = [(_pace(one, turn), _pace(other, turn)) for turn in range(SPEED_ROUNDS)]
    first, second = zip(*rounds, strict=True)
    return _best(first), _best(second)


def _best(rounds: Sequence[Pace]) -> Pace:
    return Pace(max(pace.prompt for pace in rounds), max(pace.answer for pace in rounds))


def divergence(source: dict[int, float], form: dict[int, float]) -> float:
    """KL(source || form) in nats of two next-token distributions, given as log-probabilities of the likeliest tokens."""
    total, source_mass, form_mass = 0.0, 0.0, 0.0
    floor = min(form.values())
    for token, log_p in source.items():
        log_q = form.get(token, floor)
        total += math.exp(log_p) * (log_p - log_q)
        source_mass += math.exp(log_p)
        form_mass += math.exp(log_q)
    rest_p, rest_q = max(1.0 - source_mass, 1e-9), max(1.0 - form_mass, 1e-9)
    return max(0.0, total + rest_p * math.log(rest_p / rest_q))


def divergence_prompts() -> list[str]:
    """The texts a form is checked on."""
    text = resources.files("shopfloor.local_models").joinpath("data/divergence_prompts.txt").read_text(encoding="utf-8")
    return [part.strip("\n") for part in text.split("---\n")]


def next_token(complete: Callable[[Json], Json], prompt: str, top: int) -> dict[int, float]:
    """Log-probabilities of the ``top`` likeliest next tokens, by token id."""
    body: Json = {
        "prompt": prompt,
        "n_predict": 1,
        "n_probs": top,
        "cache_prompt": False,
        "temperature": 0.0,
        "id_slot": 0,
    }
    entries = complete(body)["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    return {int(entry["id"]): float(entry["logprob"]) for entry in entries}


def _likeliest(distribution: dict[int, float]) -> int:
    return max(distribution, key=distribution.__getitem__)


def _pace(server: LlamaServer, turn: int) -> Pace:
    words = " ".join(f"{turn}{number} item" for number in range(SPEED_TOKENS // 4))
    body: Json = {"prompt": words, "n_predict": SPEED_ANSWER, "cache_prompt": False, "temperature": 0.0}
    timings = server.complete({**body, "ignore_eos": True})["timings"]
    return Pace(float(timings["prompt_per_second"]), float(timings["predicted_per_second"]))


def _verdict_path(form: Path) -> Path:
    return form.with_suffix(".verdict.json")
