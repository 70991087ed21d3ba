"""``shopfloor eval all``: every suite that there are cases for, one after the other.

Cases are found by their files' names anywhere under ``--data DIR``; suites that ship or make their own cases need no
such folder. A suite without cases is named with the reason. One suite that fails does not stop the others.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import as_file, files
from pathlib import Path

from pydantic import BaseModel, Field, JsonValue

from shopfloor.errors import ShopfloorError
from shopfloor.evaluation.registry import SUITES, make_suite
from shopfloor.evaluation.report import EvalReport
from shopfloor.evaluation.runner import EvalRequest, EvalRun, Progress, run_suite
from shopfloor.settings import Settings


@dataclass(frozen=True, slots=True)
class Place:
    """Where a suite's cases lie: the file's name, and the shop's folder (``.``: the cases' own; empty: none)."""

    cases: str
    shop: str = ""


PLACES: Mapping[str, Place] = {
    "routing": Place("routing.jsonl"),
    "ranking": Place("basket_completion_rerank30.jsonl", "."),
    "next-basket": Place("next_basket.jsonl", "."),
    "variants": Place("variant_choice.jsonl"),
    "product-qa": Place("product_qa.jsonl", "."),
    "inventory": Place("inventory_qa_*.jsonl", "shops"),
    "stores": Place("store_qa.jsonl", "."),
    "requests": Place("requests.jsonl"),
    "chat": Place("chat.yaml"),
}
MAKES_ITS_OWN = frozenset({"requests", "grounding", "explanations"})
SHIPPED: Mapping[str, str] = {"chat": "chat_open.yaml", "inventory": "inventory_open.jsonl"}


class AllReports(BaseModel):
    """What ``eval all --json`` prints. ``skipped`` and ``failed`` have a sentence for each suite."""

    suites: dict[str, EvalReport] = Field(default_factory=dict)
    skipped: dict[str, str] = Field(default_factory=dict)
    failed: dict[str, str] = Field(default_factory=dict)

    def to_json(self) -> str:
        """One JSON object; each report is as its own suite would print it."""
        suites: dict[str, JsonValue] = {name: json.loads(report.to_json()) for name, report in self.suites.items()}
        return json.dumps({"suites": suites, "skipped": self.skipped, "failed": self.failed}, indent=2)


@dataclass(frozen=True, slots=True)
class Found:
    """What to run: a request for each suite that has cases, a reason for each other."""

    requests: dict[str, EvalRequest] = field(default_factory=dict[str, EvalRequest])
    skipped: dict[str, str] = field(default_factory=dict[str, str])


def find_all(request: EvalRequest, data: Path | None) -> Found:
    """Look for every suite's cases; ``request`` gives the limits, the seed and the options."""
    found = Found()
    for name in SUITES:
        place = PLACES.get(name)
        cases = _first(data, place.cases) if data is not None and place is not None else None
        if cases is None and name in SHIPPED:
            with as_file(files("shopfloor.evaluation").joinpath("cases", SHIPPED[name])) as shipped:
                found.requests[name] = replace(request, cases=shipped, shop=None)
            continue
        if cases is None and name not in MAKES_ITS_OWN:
            missing = place.cases if place is not None else "cases"
            found.skipped[name] = f"no {missing} under --data" if data is not None else "needs --data DIR"
            continue
        shop = _shop_of(place, cases, data) if place is not None and cases is not None else None
        found.requests[name] = replace(request, cases=cases, shop=shop or request.shop)
    return found


async def run_all(
    found: Found,
    settings: Settings,
    progress: Callable[[str], Progress] | None = None,
    done: Callable[[str, EvalRun], None] | None = None,
) -> AllReports:
    """Run what was found; ``done`` gets each suite's run as soon as it is there."""
    reports = AllReports(skipped=dict(found.skipped))
    for name, request in found.requests.items():
        try:
            run = await run_suite(make_suite(name), request, settings, progress(name) if progress is not None else None)
        except ShopfloorError as error:
            reports.failed[name] = error.detail
            continue
        reports.suites[name] = run.report
        if done is not None:
            done(name, run)
    return reports


def all_to_markdown(reports: AllReports) -> str:
    """A table with a line for each metric."""
    lines = ["# eval all", "", "| suite | n | metric | value | 95 % interval | best baseline |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for name, report in reports.suites.items():
        for metric, value in report.metrics.items():
            low, high = report.ci.get(metric, (float("nan"), float("nan")))
            others = {key: found[metric] for key, found in report.baselines.items() if metric in found}
            best = max(others, key=lambda key: others[key]) if others else ""
            beside = f"{others[best]:.4g} ({best})" if best else ""
            lines.append(f"| {name} | {report.n} | {metric} | {value:.4g} | {low:.4g} to {high:.4g} | {beside} |")
    for title, reasons in (("Skipped", reports.skipped), ("Failed", reports.failed)):
        if reasons:
            lines += ["", f"## {title}", "", *(f"- **{name}**: {reason}" for name, reason in reasons.items())]
    return "\n".join(lines) + "\n"


def _first(folder: Path, pattern: str) -> Path | None:
    return min(folder.rglob(pattern), default=None)


def _shop_of(place: Place, cases: Path, data: Path | None) -> Path | None:
    """The shop that the cases are about: beside them, or the first folder under ``shops``."""
    if place.shop == ".":
        return cases.parent
    if not place.shop or data is None:
        return None
    return min((folder for folder in (data / place.shop).glob("*") if folder.is_dir()), default=None)
