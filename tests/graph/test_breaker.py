"""The circuit breaker and the budget, by a clock of the test's own."""

from datetime import date

from shopfloor.graph.breaker import CircuitBreaker, TokenBudget


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_opens_after_failures_in_a_row_and_lets_one_probe_through() -> None:
    clock = Clock()
    breaker = CircuitBreaker(failures=3, reset_s=30, clock=clock)
    for _ in range(2):
        assert breaker.allow()
        breaker.failed()
    assert breaker.state == "closed"
    assert breaker.allow()
    breaker.failed()
    assert breaker.state == "open"
    assert not breaker.allow()
    clock.now = 31
    assert breaker.state == "half-open"
    assert breaker.allow()
    assert not breaker.allow(), "one probe at a time"
    breaker.failed()
    assert breaker.state == "open"
    clock.now = 62
    assert breaker.allow()
    breaker.succeeded()
    assert breaker.state == "closed"


def test_a_success_forgets_failures() -> None:
    breaker = CircuitBreaker(failures=2, reset_s=30, clock=Clock())
    breaker.failed()
    breaker.succeeded()
    breaker.failed()
    assert breaker.state == "closed"


def test_a_caller_who_leaves_frees_the_probe() -> None:
    clock = Clock()
    breaker = CircuitBreaker(failures=1, reset_s=30, clock=clock)
    breaker.failed()
    clock.now = 31
    assert breaker.allow()
    breaker.abandoned()
    assert breaker.allow()


def test_the_budget_is_a_day_s() -> None:
    days = [date(2026, 1, 1)]
    budget = TokenBudget(daily=100, used=30, today=lambda: days[0])
    assert budget.left() == 70
    budget.spend(80)
    assert budget.left() == 0
    days[0] = date(2026, 1, 2)
    assert budget.left() == 100
