"""What keeps a failing or costly remote model from hurting: a circuit breaker and a daily token budget."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Literal


@dataclass
class CircuitBreaker:
    """Opens after ``failures`` in a row; after ``reset_s`` lets one probe through (half-open).

    Used from one event loop; no call here waits.
    """

    failures: int
    reset_s: float
    clock: Callable[[], float] = time.monotonic
    _failed: int = field(default=0, init=False)
    _opened_at: float | None = field(default=None, init=False)
    _probing: bool = field(default=False, init=False)

    @property
    def state(self) -> Literal["closed", "open", "half-open"]:
        """Closed: calls pass. Open: none do. Half-open: one may try."""
        if self._opened_at is None:
            return "closed"
        return "half-open" if self.clock() - self._opened_at >= self.reset_s else "open"

    def allow(self) -> bool:
        """Whether a call may be made now; every allowed call must report ``succeeded``, ``failed`` or ``abandoned``."""
        if self.state == "closed":
            return True
        if self.state == "open" or self._probing:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        """The call came back in order: close."""
        self._failed = 0
        self._opened_at = None
        self._probing = False

    def failed(self) -> None:
        """The call failed: count it, and open (again) when it was one too many or a probe."""
        self._failed += 1
        if self._probing or self._failed >= self.failures:
            self._opened_at = self.clock()
        self._probing = False

    def abandoned(self) -> None:
        """The caller went away before the call's end; it says nothing about the other side."""
        self._probing = False


def _today() -> date:
    return datetime.now(UTC).date()


@dataclass
class TokenBudget:
    """Tokens that may be spent in a day (UTC)."""

    daily: int
    used: int = 0
    today: Callable[[], date] = _today
    _day: date | None = field(default=None, init=False)

    def left(self) -> int:
        """Tokens left today."""
        self._roll()
        return max(0, self.daily - self.used)

    def spend(self, tokens: int) -> None:
        """Count tokens that were used."""
        self._roll()
        self.used += tokens

    def _roll(self) -> None:
        day = self.today()
        if self._day is not None and day != self._day:
            self.used = 0
        self._day = day
