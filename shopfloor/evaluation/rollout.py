"""What to do with something that is tried on a share of the users: wait, give it to more, or take it back.

Each of three outcomes (quality, failed turns, slow turns) at each share has its own interval, valid at every look; the
chance of ``alpha`` that a trial without any harm is ever taken back is split evenly among them.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from shopfloor.evaluation.sequential import Difference, difference
from shopfloor.settings import Settings
from shopfloor.store.rollout_outcomes import read_outcomes
from shopfloor.store.rollouts import Rollout

Action = Literal["wait", "advance", "take_back"]
OutcomeName = Literal["quality", "failed", "slow"]
HOUR_S = 3600.0
WORSE: Mapping[OutcomeName, str] = {
    "quality": "people are less happy with it",
    "failed": "more turns fail with it",
    "slow": "more turns are slow with it",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """When a share grows. Margins are what must be ruled out; ``patience_hours`` 0: it never grows by time alone."""

    stages: int
    min_outcomes: int = 30
    min_users: int = 20
    min_hours: float = 1.0
    patience_hours: float = 24.0
    margin: float = 0.1
    error_margin: float = 0.05
    alpha: float = 0.05

    @property
    def alpha_each(self) -> float:
        """Of one outcome at one share."""
        return self.alpha / (len(WORSE) * self.stages)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of the present share. Outcomes are from 0 to 1, in the order in which they came."""

    hours: float
    users: tuple[int, int]
    outcomes: Mapping[OutcomeName, tuple[Sequence[float], Sequence[float]]]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What to do, why, and what it rests on."""

    action: Action
    reason: str
    differences: Mapping[OutcomeName, Difference]

    def numbers(self) -> dict[str, Any]:
        """For the log of decisions."""
        return {name: one.to_json() for name, one in self.differences.items()}


def judge(seen: Seen, rules: Rules) -> Judgement:
    """Decide about a trial from what is known of its present share."""
    found: dict[OutcomeName, Difference] = {
        name: difference(*seen.outcomes[name], alpha=rules.alpha_each) for name in WORSE
    }
    for name, one in found.items():
        if (one.high < 0) if name == "quality" else (one.low > 0):
            return Judgement("take_back", f"{WORSE[name]}: {_words(name, one)}", found)
    missing = _missing(seen, rules, found)
    if missing is None:
        quality = found["quality"]
        return Judgement("advance", f"no harm beyond the margins: {_words('quality', quality)}", found)
    if 0 < rules.patience_hours <= seen.hours and min(seen.users) >= rules.min_users:
        return Judgement("advance", f"{seen.hours:.1f} h without a sign of harm, though {missing}", found)
    return Judgement("wait", missing, found)


def _missing(seen: Seen, rules: Rules, found: Mapping[OutcomeName, Difference]) -> str | None:
    """What a larger share still needs; None: nothing."""
    quality = found["quality"]
    if seen.hours < rules.min_hours:
        return f"it has been on for {_time(seen.hours)} of {_time(rules.min_hours)}"
    if min(seen.users) < rules.min_users:
        return f"{min(seen.users)} of {rules.min_users} users on the smaller side"
    if min(quality.n_control, quality.n_treated) < rules.min_outcomes:
        return (
            f"{min(quality.n_control, quality.n_treated)} of {rules.min_outcomes} users who reacted on the smaller side"
        )
    if quality.low <= -rules.margin:
        return f"a loss of quality of up to {-quality.low:.2f} is not ruled out (margin {rules.margin:.2f})"
    for name in ("failed", "slow"):
        one = found[name]
        if one.high >= rules.error_margin:
            more = f"{100 * one.high:.0f} points more {name} turns are"
            return f"{more} not ruled out (margin {100 * rules.error_margin:.0f})"
    return None


def _words(name: OutcomeName, one: Difference) -> str:
    if name == "quality":
        return (
            f"{one.treated:.2f} against {one.control:.2f} of 1, difference {one.diff:+.2f} "
            f"[{one.low:+.2f}, {one.high:+.2f}], {one.n_treated} and {one.n_control} users who reacted"
        )
    return (
        f"{one.treated:.1%} against {one.control:.1%}, difference {100 * one.diff:+.1f} points "
        f"[{100 * one.low:+.1f}, {100 * one.high:+.1f}], {one.n_treated} and {one.n_control} users"
    )


def _time(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.0f} min"


def rules_of(settings: Settings, trial: Rollout) -> Rules:
    """The rules that are set, for a trial's own shares."""
    return Rules(
        stages=len(trial.stages),
        min_outcomes=settings.rollout_min_outcomes,
        min_users=settings.rollout_min_users,
        min_hours=settings.rollout_min_hours,
        patience_hours=settings.rollout_patience_hours,
        margin=settings.rollout_margin,
        error_margin=settings.rollout_error_margin,
        alpha=settings.rollout_alpha,
    )


def look_at(connection: sqlite3.Connection, trial: Rollout, settings: Settings) -> tuple[Seen, Judgement]:
    """Read how a trial's two sides did at its present share, and decide."""
    read = read_outcomes(connection, trial, settings.latency_budget_ms)
    held, tried = read.champion, read.challenger
    since = datetime.fromisoformat(trial.stage_at)
    seen = Seen(
        hours=(datetime.now(UTC) - since).total_seconds() / HOUR_S,
        users=(held.users, tried.users),
        outcomes={
            "quality": (held.quality, tried.quality),
            "failed": (held.failed, tried.failed),
            "slow": (held.slow, tried.slow),
        },
    )
    return seen, judge(seen, rules_of(settings, trial))
