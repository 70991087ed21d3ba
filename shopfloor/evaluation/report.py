"""The report of one evaluation: the shape scripts rely on, and the same as Markdown for people."""

import math
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, Field, JsonValue, PlainSerializer

Number = Annotated[float, PlainSerializer(lambda value: value if math.isfinite(value) else None, when_used="json")]


class Artefacts(BaseModel):
    """What was evaluated, by hash or name; null or empty where a part took no part."""

    model: str | None = None
    runtime: str | None = None
    adapters: list[str] = Field(default_factory=list)
    heads: list[str] = Field(default_factory=list)
    fusion: str | None = None


class Paired(BaseModel):
    """Ours minus a baseline's over the same cases, with its interval."""

    diff: Number
    ci: tuple[Number, Number]


class CurvePoint(BaseModel):
    """One size of a learning curve: learned from ``n`` cases of --train."""

    n: int
    metrics: dict[str, Number]
    ci: dict[str, tuple[Number, Number]]


class CrossValidation(BaseModel):
    """Every case predicted by what was learned from the other folds; near cases are always in one fold."""

    folds: int
    n: int
    metrics: dict[str, Number]
    ci: dict[str, tuple[Number, Number]]
    slices: dict[str, dict[str, dict[str, int | Number]]] = Field(default_factory=dict)


class CaseRecord(BaseModel):
    """One case's outcome, as ``--save`` writes it."""

    id: str
    ok: bool
    question: JsonValue
    expected: JsonValue
    got: JsonValue
    values: dict[str, Number]
    slices: dict[str, str] = Field(default_factory=dict)
    note: str = ""
    ms: float = 0.0


class EvalReport(BaseModel):
    """``shopfloor eval SUITE --json``. Fields may be added; none is changed or removed but by a major version."""

    suite: str
    cases: str
    n: int
    seed: int
    version: str
    metrics: dict[str, Number]
    ci: dict[str, tuple[Number, Number]]
    baselines: dict[str, dict[str, Number]] = Field(default_factory=dict)
    paired: dict[str, dict[str, Paired]] = Field(default_factory=dict)
    slices: dict[str, dict[str, dict[str, int | Number]]] = Field(default_factory=dict)
    artefacts: Artefacts = Field(default_factory=Artefacts)
    latency_ms: dict[str, Number] = Field(default_factory=dict)
    curve: list[CurvePoint] | None = None
    cross_validation: CrossValidation | None = None
    seconds: float = 0.0

    def to_json(self) -> str:
        """One JSON object; ``curve`` and ``cross_validation`` only where they were asked for."""
        optional = {"curve": self.curve, "cross_validation": self.cross_validation}
        return self.model_dump_json(exclude={name for name, value in optional.items() if value is None}, indent=2)


def to_markdown(report: EvalReport, records: list[CaseRecord], *, shown: int = 40) -> str:
    """The report for a person: figures, baselines, slices, and the failures as a list to read."""
    lines = [f"# eval {report.suite}", "", f"{report.n} cases of `{report.cases}`, seed {report.seed}.", ""]
    lines += _metric_lines(report.metrics, report.ci)
    lines += _baseline_lines(report) + _curve_lines(report) + _fold_lines(report) + _slice_lines(report.slices)
    failures = [record for record in records if not record.ok]
    lines += ["", f"## Failures ({len(failures)} of {report.n})", ""]
    lines += [_failure_line(record) for record in failures[:shown]]
    if len(failures) > shown:
        lines.append(f"- … and {len(failures) - shown} more (--save DIR writes them all)")
    return "\n".join(lines) + "\n"


def _metric_lines(metrics: Mapping[str, float], intervals: Mapping[str, tuple[float, float]]) -> list[str]:
    lines = ["| metric | value | 95 % interval |", "| --- | --- | --- |"]
    for name, value in metrics.items():
        low, high = intervals.get(name, (float("nan"), float("nan")))
        lines.append(f"| {name} | {value:.4g} | {low:.4g} to {high:.4g} |")
    return lines


def _fold_lines(report: EvalReport) -> list[str]:
    found = report.cross_validation
    if found is None:
        return []
    title = f"## Learned from these cases, {found.folds} folds"
    return ["", title, "", *_metric_lines(found.metrics, found.ci), *_slice_lines(found.slices)]


def _baseline_lines(report: EvalReport) -> list[str]:
    if not report.baselines:
        return []
    lines = ["", "## Baselines", "", "| baseline | metric | value | ours minus it |", "| --- | --- | --- | --- |"]
    for name, metrics in report.baselines.items():
        for metric, value in metrics.items():
            pair = report.paired.get(name, {}).get(metric)
            difference = f"{pair.diff:+.4f} [{pair.ci[0]:+.4f}, {pair.ci[1]:+.4f}]" if pair else ""
            lines.append(f"| {name} | {metric} | {value:.4g} | {difference} |")
    return lines


def _curve_lines(report: EvalReport) -> list[str]:
    if report.curve is None:
        return []
    names = list(report.metrics)
    lines = ["", "## Learning curve", "", f"| n | {' | '.join(names)} |", "| --- |" + " --- |" * len(names)]
    for point in report.curve:
        cells = [f"{point.metrics.get(name, float('nan')):.4g}" for name in names]
        lines.append(f"| {point.n} | {' | '.join(cells)} |")
    return lines


def _slice_lines(slices: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[str]:
    lines: list[str] = []
    for name, values in slices.items():
        metrics = list(dict.fromkeys(key for figures in values.values() for key in figures if key != "n"))
        lines += ["", f"## By {name}", "", f"| {name} | n | {' | '.join(metrics)} |"]
        lines.append("| --- | --- |" + " --- |" * len(metrics))
        for value, figures in values.items():
            cells = [f"{figures.get(metric, float('nan')):.4g}" for metric in metrics]
            lines.append(f"| {value} | {int(figures['n'])} | {' | '.join(cells)} |")
    return lines


def _failure_line(record: CaseRecord) -> str:
    note = f" ({record.note})" if record.note else ""
    return f"- **{record.id}** {_short(record.question)} → expected {_short(record.expected)}, got {_short(record.got)}{note}"


def _short(value: JsonValue, limit: int = 240) -> str:
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value.values()))
    text = " ".join(str(value).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
