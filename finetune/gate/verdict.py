"""Promote, reject, or not enough evidence: one rule over a main suite and guarded ones.

The challenger is promoted when the main suite's interval lies above zero and no guarded suite is worse. A guarded suite
is worse when its interval lies below zero, or its loss is larger than its margin: a small suite must not hide a loss
behind a wide interval. A worse suite rejects, whatever was gained elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shopfloor.finetune.gate.statistics import Comparison

Verdict = Literal["promote", "reject", "not_enough_evidence"]
MARGIN = 0.02


@dataclass(frozen=True, slots=True)
class Guarded:
    """A suite that may not get worse; ``margin`` is the largest loss that may be chance."""

    comparison: Comparison
    margin: float = MARGIN

    @property
    def worse(self) -> bool:
        """Whether it got worse."""
        return self.comparison.ci[1] < 0 or self.comparison.diff < -self.margin


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict and what it rests on. ``about``: what was compared, by hash or name, for the report."""

    verdict: Verdict
    reason: str
    main: Comparison
    guarded: tuple[Guarded, ...]
    about: dict[str, Any]

    @property
    def suites(self) -> list[Comparison]:
        """Every suite, the main one first."""
        return [self.main, *(one.comparison for one in self.guarded)]

    def to_json(self) -> dict[str, Any]:
        """The report: ``suites`` as `shopfloor train --json` shows them."""
        margins = {one.comparison.name: one for one in self.guarded}
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "main": self.main.name,
            "suites": [
                suite.to_json()
                | {
                    "guarded": suite.name in margins,
                    "regressed": margins[suite.name].worse if suite.name in margins else False,
                    "margin": margins[suite.name].margin if suite.name in margins else None,
                }
                for suite in self.suites
            ],
            "about": self.about,
        }


def judge(main: Comparison, guarded: Sequence[Guarded], about: dict[str, Any]) -> Judgement:
    """Apply the rule."""
    verdict, reason = _decide(main, guarded)
    return Judgement(verdict, reason, main, tuple(guarded), about)


def _decide(main: Comparison, guarded: Sequence[Guarded]) -> tuple[Verdict, str]:
    worse = [one.comparison for one in guarded if one.worse]
    if worse:
        first = max(worse, key=lambda one: -one.diff)
        more = f" and {len(worse) - 1} more" if len(worse) > 1 else ""
        return "reject", f"{first.name} got worse by {_points(-first.diff)}{more}."
    if main.ci[1] < 0:
        return "reject", f"{main.name} got worse by {_points(-main.diff)}."
    if main.ci[0] > 0:
        low = _points(main.ci[0])
        return "promote", f"{main.name} gained {_points(main.diff)}, at least {low}, and no guarded suite got worse."
    return (
        "not_enough_evidence",
        f"{main.name} changed by {_points(main.diff)}; these cases show a gain of {_points(main.mde)} or more reliably.",
    )


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"
