"""Runs a suite over its cases and makes the report.

The system under test sees a case's question alone: each question is built anew from the fields that the suite's
question model declares, and that model may not declare a scoring field.
"""

import abc
import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, JsonValue

from shopfloor import __version__
from shopfloor.errors import InputError
from shopfloor.evaluation.cases import load_cases
from shopfloor.evaluation.metrics import Floats, Indices, bootstrap_mean, bootstrap_statistic, mean, paired_difference
from shopfloor.evaluation.report import Artefacts, CaseRecord, CrossValidation, CurvePoint, EvalReport, Paired
from shopfloor.settings import Settings

SCORING_FIELDS = frozenset(
    {
        *("id", "gold", "intent", "slots", "label", "rule", "source", "license", "relevant", "relevant_new"),
        *("expect", "constraints", "keep", "best", "paraphrase_group"),
    }
)


class Case(BaseModel):
    """A case of any suite: the question's fields and those for scoring. Fields not declared are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str = ""


CaseT = TypeVar("CaseT", bound=Case)
QuestionT = TypeVar("QuestionT", bound=BaseModel)
PredictionT = TypeVar("PredictionT")

Progress = Callable[[int, int], None]
Statistic = Callable[[Indices], float]


@dataclass(frozen=True, slots=True)
class CaseScore:
    """One case's figures. ``ok`` decides whether it is listed as a failure."""

    values: dict[str, float]
    ok: bool
    expected: JsonValue = None
    got: JsonValue = None
    slices: dict[str, str] = field(default_factory=dict[str, str])
    note: str = ""


@dataclass(frozen=True, slots=True)
class EvalRequest:
    """What ``shopfloor eval`` was asked to do."""

    cases: Path | None = None
    shop: Path | None = None
    limit: int | None = None
    seed: int = 0
    train: Path | None = None
    sizes: tuple[int, ...] = ()
    folds: int = 0
    requests: int = 200
    options: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class SuiteContext:
    """What a suite builds its system from. ``settings.data`` is the run's own temporary folder.

    ``catalogue`` is the shop's database (also ``settings.shop``), None for suites without one; ``options`` holds the
    command's further flags (``supervisor``, ``runtime``, ``adapter``) where given.
    """

    settings: Settings
    catalogue: Path | None
    shop: Path | None
    seed: int
    options: Mapping[str, str]


class Suite(abc.ABC, Generic[CaseT, QuestionT, PredictionT]):
    """One kind of evaluation; see the package's docstring for how to write one."""

    name: ClassVar[str]
    shop: ClassVar[Literal["required", "demo", "none"]] = "none"
    case_model: type[CaseT]
    question_model: type[QuestionT]

    async def open(self, context: SuiteContext) -> None:
        """Build the system under test; called once, before anything else."""
        del context

    async def prepare(self, questions: Sequence[QuestionT]) -> None:
        """Work that is better done for all questions at once, e.g. embedding; never needed for correctness."""
        del questions

    @abc.abstractmethod
    async def predict(self, question: QuestionT) -> PredictionT:
        """Let the system answer one question."""

    @abc.abstractmethod
    def score(self, case: CaseT, prediction: PredictionT) -> CaseScore:
        """Compare one prediction with the case's gold."""

    def statistics(self, cases: Sequence[CaseT], predictions: Sequence[PredictionT]) -> dict[str, Statistic]:
        """Metrics that are no mean over cases: each is a function of case indices, which bootstrap draws."""
        del cases, predictions
        return {}

    async def baselines(self, cases: Sequence[CaseT]) -> dict[str, list[CaseScore]]:
        """Scores of simpler ways over the same cases, by the baseline's name."""
        del cases
        return {}

    async def fit(self, cases: Sequence[CaseT], seed: int) -> None:
        """Learn from labelled cases, in memory only (``--train F --sizes ...``); none: back to what is shipped."""
        del cases, seed
        raise InputError(f"eval {self.name} has nothing to train: leave --train and --folds out.")

    def groups(self, cases: Sequence[CaseT]) -> list[int]:
        """A group number for each case: cases of one group are never on both sides of ``--folds N``."""
        return list(range(len(cases)))

    def make_cases(self, count: int, seed: int) -> list[CaseT]:
        """Make cases where no file is given; called after ``open``."""
        del count, seed
        raise InputError(f"eval {self.name} needs --cases FILE.")

    def files(self, cases: Sequence[CaseT], predictions: Sequence[PredictionT]) -> dict[str, str]:
        """Further files for ``--save DIR``, by name; called after ``baselines``."""
        del cases, predictions
        return {}

    def artefacts(self) -> Artefacts:
        """Hashes and names of what was evaluated."""
        return Artefacts()

    async def close(self) -> None:
        """Free what ``open`` made."""
        return


@dataclass(frozen=True, slots=True)
class EvalRun:
    """A report, each case's outcome, and what else ``--save`` writes."""

    report: EvalReport
    records: list[CaseRecord]
    files: dict[str, str] = field(default_factory=dict[str, str])


async def run_suite(
    suite: Suite[Any, Any, Any], request: EvalRequest, settings: Settings, progress: Progress | None = None
) -> EvalRun:
    """Run ``suite`` in a temporary folder of its own and report.

    Raises:
        InputError: the cases, the shop or the training file can't be used.
    """
    check_question_model(suite)
    started = time.perf_counter()
    cases: list[Any] | None = None
    if request.cases is not None:
        cases = load_cases(request.cases, suite.case_model, limit=request.limit)
    train = load_cases(request.train, suite.case_model) if request.train is not None else None
    with tempfile.TemporaryDirectory(prefix="shopfloor-eval-", ignore_cleanup_errors=True) as folder:
        context = await asyncio.to_thread(_prepare, suite, request, settings, Path(folder))
        try:
            await suite.open(context)
            if cases is None:
                count = request.requests if request.limit is None else min(request.limit, request.requests)
                cases = list(suite.make_cases(count, request.seed))
            run = await _evaluate(suite, cases, request, progress)
            curve = None if train is None else await _curve(suite, cases, train, request)
            folds = await _cross_validate(suite, cases, request) if request.folds else None
        finally:
            await suite.close()
    seconds = round(time.perf_counter() - started, 3)
    update = {"curve": curve, "cross_validation": folds, "seconds": seconds}
    return replace(run, report=run.report.model_copy(update=update))


def check_question_model(suite: Suite[Any, Any, Any]) -> None:
    """Refuse a suite whose questions would carry what is only for scoring."""
    leaked = SCORING_FIELDS.intersection(suite.question_model.model_fields)
    if leaked:
        raise TypeError(f"the questions of suite {suite.name} must not have the scoring fields {sorted(leaked)}")


def question_of(suite: Suite[Any, QuestionT, Any], case: Case) -> QuestionT:
    """The part of a case that the system may see, built anew."""
    fields = case.model_dump(include=set(suite.question_model.model_fields), mode="json")
    return suite.question_model.model_validate(fields)


def _prepare(suite: Suite[Any, Any, Any], request: EvalRequest, settings: Settings, folder: Path) -> SuiteContext:
    """Point the settings at a folder of the run's own and import the shop there; derived models stay shared."""
    own = settings.model_copy(update={"data": folder, "models": settings.models_path})
    catalogue: Path | None = None
    if request.shop is not None:
        catalogue = folder / "catalogue.db"
        _bring_in(request.shop, catalogue)
        own = own.model_copy(update={"shop": catalogue})
    elif suite.shop == "required":
        raise InputError(f"eval {suite.name} needs --shop DIR.", code="unknown_shop")
    elif suite.shop == "demo":
        from shopfloor.store.catalogue import ensure_catalogue

        own = own.model_copy(update={"shop": None})
        catalogue = ensure_catalogue(own)
    return SuiteContext(
        settings=own, catalogue=catalogue, shop=request.shop, seed=request.seed, options=request.options
    )


def _bring_in(shop: Path, catalogue: Path) -> None:
    """Import a shop's folder, or copy a finished database: the shop's own is never written to."""
    if not shop.exists():
        raise InputError(f"There is no shop folder or database {shop}; check --shop.", code="unknown_shop")
    from shopfloor.store.importer import import_shop
    from shopfloor.store.importer.shop import DATABASE_SUFFIXES, is_catalogue
    from shopfloor.store.migrations import open_catalogue

    if shop.suffix.lower() in DATABASE_SUFFIXES and shop.is_file() and is_catalogue(shop):
        origin = f"{shop.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(origin, uri=True)) as source, closing(sqlite3.connect(catalogue)) as target:
            source.backup(target)
        open_catalogue(catalogue)
        return
    import_shop(shop, catalogue)


async def _evaluate(
    suite: Suite[Any, Any, Any], cases: Sequence[Any], request: EvalRequest, progress: Progress | None
) -> EvalRun:
    questions = [question_of(suite, case) for case in cases]
    await suite.prepare(questions)
    predictions: list[Any] = []
    times: list[float] = []
    for number, question in enumerate(questions, start=1):
        began = time.perf_counter()
        predictions.append(await suite.predict(question))
        times.append((time.perf_counter() - began) * 1000)
        if progress is not None:
            progress(number, len(questions))
    scores, metrics, intervals = _scored(suite, cases, predictions, request.seed)
    baselines, paired = _compare(scores, await suite.baselines(cases), request.seed)
    report = EvalReport(
        suite=suite.name,
        cases=request.cases.name if request.cases is not None else f"made:{len(cases)}",
        n=len(cases),
        seed=request.seed,
        version=__version__,
        metrics=metrics,
        ci=intervals,
        baselines=baselines,
        paired=paired,
        slices=_slices(scores),
        artefacts=suite.artefacts(),
        latency_ms={f"p{at}": round(float(np.percentile(times, at)), 3) for at in (50, 95)} if times else {},
    )
    records = [
        CaseRecord(
            id=case.id or str(number),
            ok=score.ok,
            question=question.model_dump(mode="json", exclude_none=True),
            expected=score.expected,
            got=score.got,
            values=score.values,
            slices=score.slices,
            note=score.note,
            ms=round(ms, 3),
        )
        for number, (case, question, score, ms) in enumerate(zip(cases, questions, scores, times, strict=True), start=1)
    ]
    return EvalRun(report=report, records=records, files=suite.files(cases, predictions))


async def _curve(
    suite: Suite[Any, Any, Any], cases: Sequence[Any], train: Sequence[Any], request: EvalRequest
) -> list[CurvePoint]:
    """Learn from random subsets of ``train`` (each holds the smaller ones) and evaluate each on ``cases``."""
    order = np.random.default_rng(request.seed).permutation(len(train))
    sizes = request.sizes or (len(train),)
    too_many = [size for size in sizes if size > len(train)]
    if too_many:
        raise InputError(f"--sizes: {too_many[0]} is more than the {len(train)} cases of --train.")
    points: list[CurvePoint] = []
    for size in sizes:
        await suite.fit([train[index] for index in order[:size]], request.seed)
        predictions = [await suite.predict(question_of(suite, case)) for case in cases]
        _, metrics, intervals = _scored(suite, cases, predictions, request.seed)
        points.append(CurvePoint(n=size, metrics=metrics, ci=intervals))
    return points


async def _cross_validate(suite: Suite[Any, Any, Any], cases: Sequence[Any], request: EvalRequest) -> CrossValidation:
    """Predict every case by what was learned from the other folds."""
    groups = suite.groups(cases)
    names = np.unique(groups)
    if not 2 <= request.folds <= len(names):
        raise InputError(f"--folds {request.folds}: choose from 2 to {len(names)}, the number of different cases.")
    order = np.random.default_rng(request.seed).permutation(len(names)) % request.folds
    fold_of = dict(zip(names.tolist(), order.tolist(), strict=True))
    predictions: list[Any] = [None] * len(cases)
    for fold in range(request.folds):
        held = [place for place, group in enumerate(groups) if fold_of[group] == fold]
        await suite.fit(
            [case for case, group in zip(cases, groups, strict=True) if fold_of[group] != fold], request.seed
        )
        for place in held:
            predictions[place] = await suite.predict(question_of(suite, cases[place]))
    scores, metrics, intervals = _scored(suite, cases, predictions, request.seed)
    return CrossValidation(folds=request.folds, n=len(cases), metrics=metrics, ci=intervals, slices=_slices(scores))


def _scored(
    suite: Suite[Any, Any, Any], cases: Sequence[Any], predictions: Sequence[Any], seed: int
) -> tuple[list[CaseScore], dict[str, float], dict[str, tuple[float, float]]]:
    scores = [suite.score(case, prediction) for case, prediction in zip(cases, predictions, strict=True)]
    return scores, *_figures(scores, suite.statistics(cases, predictions), seed)


def _figures(
    scores: Sequence[CaseScore], statistics: Mapping[str, Statistic], seed: int
) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    columns = {name: _column(scores, name) for name in _names(scores)}
    metrics = {name: mean(column) for name, column in columns.items()}
    intervals = {name: bootstrap_mean(column, seed=seed) for name, column in columns.items()}
    everything = np.arange(len(scores))
    for name, statistic in statistics.items():
        metrics[name] = statistic(everything)
        intervals[name] = bootstrap_statistic(statistic, len(scores), seed=seed)
    return metrics, intervals


def _compare(
    ours: Sequence[CaseScore], baselines: Mapping[str, Sequence[CaseScore]], seed: int
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, Paired]]]:
    figures: dict[str, dict[str, float]] = {}
    paired: dict[str, dict[str, Paired]] = {}
    for baseline, scores in baselines.items():
        if len(scores) != len(ours):
            raise ValueError(f"baseline {baseline} scored {len(scores)} of {len(ours)} cases")
        figures[baseline], paired[baseline] = {}, {}
        for name in _names(scores):
            column = _column(scores, name)
            figures[baseline][name] = mean(column)
            difference, low, high = paired_difference(_column(ours, name), column, seed=seed)
            paired[baseline][name] = Paired(diff=difference, ci=(low, high))
    return figures, paired


def _slices(scores: Sequence[CaseScore]) -> dict[str, dict[str, dict[str, int | float]]]:
    found: dict[str, dict[str, dict[str, int | float]]] = {}
    for name in sorted({name for score in scores for name in score.slices}):
        values = sorted({score.slices[name] for score in scores if name in score.slices})
        found[name] = {}
        for value in values:
            group = [score for score in scores if score.slices.get(name) == value]
            found[name][value] = {"n": len(group), **{key: mean(_column(group, key)) for key in _names(group)}}
    return found


def _names(scores: Sequence[CaseScore]) -> list[str]:
    return list(dict.fromkeys(name for score in scores for name in score.values))


def _column(scores: Sequence[CaseScore], name: str) -> Floats:
    return np.array([score.values.get(name, float("nan")) for score in scores], dtype=np.float64)
