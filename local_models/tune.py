"""Finds the fastest way to run a model on this machine that still says what the original says.

Two steps. Forms: every mix that can be made here is derived, compared with the original file by the divergence of its
next tokens, and timed against it turn about. Then options of loading: threads, batch, flash attention, how keys and
values are kept; one at a time, each kept only where it is faster. K and IQ forms can't be made here.

The result is kept beside the forms, by the hash of the source and the machine it was measured on.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from shopfloor.errors import ModelError
from shopfloor.local_models.divergence import LIMIT, Likeness, Pace, likeness, paces
from shopfloor.local_models.files import ModelFile
from shopfloor.local_models.fit_memory import lays_out_anew
from shopfloor.local_models.fit_shapes import tensors_of
from shopfloor.local_models.forms import MIXES, Recipe, derive, is_whole
from shopfloor.local_models.gguf_file import read_header
from shopfloor.local_models.hardware import MachineSensors, Sensors
from shopfloor.local_models.llama_server import Flash, KvType, LlamaServer, ServerOptions, usable_cores
from shopfloor.local_models.locking import exclusive, write_atomically

CONTEXT = 512
BATCH = 256
BATCHES = (128, 512)
SHIPPED = "shipped"
FASTER = 1.03  # by less than this an option is not changed: it is within the noise
SLOWEST = 0.97  # of the original's decoding speed

Say = Callable[[str], None]
Change = Callable[[ServerOptions], ServerOptions]


@dataclass(frozen=True, slots=True)
class Tried:
    """One form or option and what it gave: speeds in tokens a second, ``beside`` of what it was compared with."""

    name: str
    divergence: float
    same_top: float
    pace: Pace
    beside: Pace
    kept: bool
    reason: str

    @property
    def prompt_gain(self) -> float:
        """How many times as fast prompts are read."""
        return self.pace.prompt / self.beside.prompt

    @property
    def answer_gain(self) -> float:
        """How many times as fast answers are written."""
        return self.pace.answer / self.beside.answer


@dataclass(frozen=True, slots=True)
class Tuning:
    """How to run a model here. ``form``: a mix of :data:`~shopfloor.local_models.forms.MIXES`, or ``shipped``.

    ``prompt_gain`` and ``answer_gain`` are against the shipped file loaded as the service does without tuning.
    """

    machine: str
    form: str
    threads: int
    batch: int
    flash: Flash
    kv: KvType
    copied: bool
    divergence: float
    prompt_gain: float
    answer_gain: float


def read_tuning(source: ModelFile, folder: Path, sensors: Sensors | None = None) -> Tuning | None:
    """What was found for this file on this machine, if its form is still there."""
    try:
        found = Tuning(**json.loads(_path(source, folder).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    whole = found.form == SHIPPED or (found.form in MIXES and is_whole(Recipe(mix=found.form).path(source, folder)))
    return found if whole and found.machine == machine_key(sensors) else None


def apply_tuning(options: ServerOptions, tuning: Tuning, source: ModelFile, folder: Path) -> ServerOptions:
    """The options with what was found; the form is named by the path."""
    path = source.path if tuning.form == SHIPPED else Recipe(mix=tuning.form).path(source, folder)
    return replace(
        options,
        path=path,
        threads=tuning.threads,
        batch=tuning.batch,
        flash=tuning.flash,
        kv=tuning.kv,
        copied=tuning.copied,
    )


def machine_key(sensors: Sensors | None = None) -> str:
    """Names the kind of machine: what was measured on one is not used on another."""
    sensors = sensors or MachineSensors()
    return hashlib.sha256(repr((sensors.system(), sensors.cpu())).encode()).hexdigest()[:16]


def tune(
    source: ModelFile, folder: Path, *, threads: int = 0, mixes: Sequence[str] = tuple(MIXES), say: Say | None = None
) -> tuple[Tuning, tuple[Tried, ...]]:
    """Try forms and options, keep the best (blocking, a minute or two); forms that were not kept are deleted.

    Args:
        source: the original file.
        folder: where forms lie.
        threads: the number to start from; 0: the physical cores this process may use.
        mixes: the forms to try.
        say: told of each result.

    Raises:
        ModelError: the disk is full, or the model can't be loaded.
    """
    threads = threads or usable_cores()
    shipped = ServerOptions(source.path, CONTEXT, 1, threads, BATCH)
    with exclusive(folder / ".tune.lock"):
        tried: list[Tried] = []
        best, best_form, found = shipped, SHIPPED, None
        for mix in mixes:
            one = _try_form(source, folder, mix, shipped)
            tried.append(one)
            _report(say, one)
            if one.kept and (found is None or _seconds(one) < _seconds(found)):
                best_form, found = mix, one
        if found is not None:
            best = replace(
                shipped, path=Recipe(mix=best_form).path(source, folder), copied=_copied(best_form, source, folder)
            )
        for name, change in _changes(threads):
            one = _try_options(name, best, change(best))
            tried.append(one)
            _report(say, one)
            if one.kept:
                best = change(best)
        tuning = _measured(best, best_form, shipped)
        write_atomically(_path(source, folder), json.dumps(asdict(tuning), indent=1).encode())
        _clear(source, folder, best_form)
    return tuning, tuple(tried)


def _try_form(source: ModelFile, folder: Path, mix: str, shipped: ServerOptions) -> Tried:
    path = derive(source, Recipe(mix=mix), folder)
    options = replace(shipped, path=path, copied=_copied(mix, source, folder))
    like, beside, pace = _compare(shipped, options)
    if like.mean >= LIMIT:
        reason = f"it says something else: divergence {like.mean:.3f}, {LIMIT} is allowed"
    elif pace.answer < SLOWEST * beside.answer:
        reason = "it writes answers more slowly"
    elif pace.turn_s() >= beside.turn_s():
        reason = "it is not faster"
    else:
        return Tried(mix, like.mean, like.same_top, pace, beside, True, "faster, and says the same")
    return Tried(mix, like.mean, like.same_top, pace, beside, False, reason)


def _changes(threads: int) -> Iterator[tuple[str, Change]]:
    """The changes to try, one at a time; each is made to what is best so far."""
    cores = usable_cores()
    for number in sorted({max(1, cores - 1), cores} - {threads}):
        yield f"threads {number}", lambda options, number=number: replace(options, threads=number)
    for batch in BATCHES:
        yield f"batch {batch}", lambda options, batch=batch: replace(options, batch=batch)
    yield "flash attention on", lambda options: replace(options, flash="on")
    yield "flash attention off", lambda options: replace(options, flash="off")
    yield "keys and values in q8_0", lambda options: replace(options, kv="q8_0", flash="on")


def _try_options(name: str, best: ServerOptions, options: ServerOptions) -> Tried:
    try:
        like, beside, pace = _compare(best, options, alike=options.kv == best.kv)
    except ModelError:
        zero = Pace(1.0, 1.0)
        return Tried(name, 0.0, 0.0, zero, zero, False, "the library refuses it for this model")
    if like.mean >= LIMIT:
        return Tried(name, like.mean, like.same_top, pace, beside, False, "it says something else")
    kept = pace.turn_s() * FASTER < beside.turn_s()
    return Tried(name, like.mean, like.same_top, pace, beside, kept, "faster" if kept else "not faster")


def _compare(one: ServerOptions, other: ServerOptions, *, alike: bool = False) -> tuple[Likeness, Pace, Pace]:
    """How alike two ways of running say it (not asked where they must be ``alike``), and the paces of both."""
    first = LlamaServer(one)
    try:
        second = LlamaServer(other)
        try:
            like = Likeness(0.0, 0.0, 1.0, 0) if alike else likeness(first, second)
            return like, *paces(first, second)
        finally:
            second.close()
    finally:
        first.close()


def _measured(best: ServerOptions, form: str, shipped: ServerOptions) -> Tuning:
    """The whole result against the shipped file, measured once more, all changes together."""
    like, beside, pace = _compare(shipped, best)
    if like.mean >= LIMIT:  # each change was within the limit, all of them together are not
        best, form, like, pace = shipped, SHIPPED, Likeness(0.0, 0.0, 1.0, like.prompts), beside
    return Tuning(
        machine=machine_key(),
        form=form,
        threads=best.threads,
        batch=best.batch,
        flash=best.flash,
        kv=best.kv,
        copied=best.copied,
        divergence=like.mean,
        prompt_gain=pace.prompt / beside.prompt,
        answer_gain=pace.answer / beside.answer,
    )


def _copied(mix: str, source: ModelFile, folder: Path) -> bool:
    return lays_out_anew(tensors_of(read_header(Recipe(mix=mix).path(source, folder))))


def _seconds(tried: Tried) -> float:
    """The time of a usual turn as a share of the original's: what was measured at different times compares by it."""
    return tried.pace.turn_s() / tried.beside.turn_s()


def _clear(source: ModelFile, folder: Path, kept: str) -> None:
    for mix in MIXES:
        if mix not in (kept, "q8_0"):  # that one is what the service makes by itself
            Recipe(mix=mix).path(source, folder).unlink(missing_ok=True)


def _report(say: Say | None, tried: Tried) -> None:
    if say is not None:
        verdict = "kept" if tried.kept else "not kept"
        say(
            f"{tried.name}: prompts {tried.prompt_gain:.2f} and answers {tried.answer_gain:.2f} times as fast, "
            f"divergence {tried.divergence:.4f}; {verdict}: {tried.reason}"
        )


def _path(source: ModelFile, folder: Path) -> Path:
    return folder / f"{source.sha256[:16]}.tuning.json"
