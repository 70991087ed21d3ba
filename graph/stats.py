"""Whether the assistant can answer, and the figures of its local model."""

import os
import time
from dataclasses import dataclass, field
from importlib import metadata

import psutil
from pydantic import JsonValue

from shopfloor.graph.shop import Shop
from shopfloor.local_models.adapting import runtime_for
from shopfloor.local_models.runtime import Runtime
from shopfloor.store.feedback import FeedbackStore, FeedbackTotals
from shopfloor.store.traces import AgentTotals
from shopfloor.tools.schemas import AgentStats, FeedbackCounts, ModelStats

AGENTS = ("recommendation", "inventory")


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether requests are answered, and with everything there is; ``reasons`` say what is missing."""

    ready: bool
    degraded: bool
    reasons: list[str] = field(default_factory=list[str])


def readiness_of(shop: Shop) -> Readiness:
    """An opened shop answers; without its local model or router it answers by templates and rules."""
    reasons = list(shop.problems)
    gemini = shop.supervisor.gemini
    if gemini is not None and not gemini.usable:
        reasons.append("Gemini is not used now (it failed, or its budget is spent); the local router decides.")
    return Readiness(ready=True, degraded=bool(shop.problems), reasons=reasons)


async def model_stats_of(shop: Shop, feedback: FeedbackStore, started_at: float) -> ModelStats:
    """Figures for every agent: the model's own, and the traces' and feedback's.

    Args:
        shop: the opened shop.
        feedback: its feedback.
        started_at: when the process's assistant was opened (``time.monotonic``).
    """
    totals = await shop.traces.totals()
    counts = await feedback.totals()
    models = {name: shop.model_of(name) for name in AGENTS}
    figures = {name: await _model_figures(shop.runtime, name) for name in AGENTS}
    agents = {
        name: AgentStats(
            model=models[name].name,
            quantisation=figures[name].quantisation,
            runtime=models[name].runtime,
            profile=models[name].profile,
            adapter=models[name].adapter,
            memory_mb=figures[name].memory_mb,
            requests=totals[name].requests if name in totals else 0,
            tokens_per_second=figures[name].speed,
            latency_ms=_percentiles(totals.get(name)),
            feedback=_counts(counts.get(name)),
        )
        for name in AGENTS
    }
    process: dict[str, JsonValue] = {
        "pid": os.getpid(),
        "memory_mb": round(psutil.Process().memory_info().rss / 1e6, 1),
        "uptime_s": round(time.monotonic() - started_at, 1),
        "version": metadata.version("shopfloor"),
    }
    return ModelStats(agents=agents, process=process)


def _counts(totals: FeedbackTotals | None) -> FeedbackCounts:
    if totals is None:
        return FeedbackCounts()
    return FeedbackCounts(count=totals.count, mean_rating=totals.mean_rating, usable=totals.usable)


@dataclass(frozen=True, slots=True)
class _Figures:
    """Of the model that answers an agent: memory in MB, tokens a second."""

    memory_mb: float
    speed: float
    quantisation: str


async def _model_figures(runtime: Runtime | None, agent: str) -> _Figures:
    if runtime is None:
        return _Figures(0.0, 0.0, "none")
    view = runtime_for(runtime, agent)
    stats = await view.stats()
    return _Figures(round(stats.memory_mb, 1), round(stats.tokens_per_second, 1), view.info.quantisation)


def _percentiles(totals: AgentTotals | None) -> dict[str, float]:
    if totals is None or not totals.latencies_ms:
        return {}
    ordered = sorted(totals.latencies_ms)
    return {f"p{share}": ordered[min(len(ordered) - 1, len(ordered) * share // 100)] for share in (50, 95, 99)}
