"""Writes a turn's trace: a row when it starts, its answers and its end when it is answered."""

import sqlite3
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from opentelemetry import trace

from shopfloor.graph.state import Decision, Finding
from shopfloor.store.traces import Candidate, Exposure, NewAnswer, NewTurn, Shown, TraceStore, TurnOutcome
from shopfloor.tools.schemas import ModelCard, Usage


@dataclass(frozen=True, slots=True)
class TurnStart:
    """A message that came in. ``trace_id`` may be empty."""

    trace_id: str
    thread_id: str
    user_id: str
    door: str
    text: str


@dataclass(frozen=True, slots=True)
class TurnEnd:
    """A turn that was answered."""

    trace_id: str
    user_id: str
    reply: str
    decision: Decision
    degraded: bool
    findings: Sequence[Finding] = ()
    timings_ms: dict[str, float] = field(default_factory=dict[str, float])
    usage: Usage = field(default_factory=Usage)


class Recorder:
    """Turns and answers into the trace store."""

    def __init__(self, traces: TraceStore, model: ModelCard) -> None:
        self._traces = traces
        self._model = model.model_dump(mode="json")

    async def begin(self, start: TurnStart) -> str:
        """Record a message before anything is done about it; returns the turn's trace id.

        It is the one given, else the active span's, else a fresh one. Two turns inside one span can't share theirs:
        the second gets a fresh one.
        """
        wanted = start.trace_id or active_trace_id() or uuid.uuid4().hex
        thread_id = start.thread_id or "none"
        try:
            await self._traces.start_turn(NewTurn(wanted, thread_id, start.user_id, start.door, start.text))
        except sqlite3.IntegrityError:
            wanted = uuid.uuid4().hex
            await self._traces.start_turn(NewTurn(wanted, thread_id, start.user_id, start.door, start.text))
        return wanted

    async def expose(self, trace_id: str, exposure: Exposure) -> None:
        """Record which side decided a turn, while something is tried on a share of the users."""
        await self._traces.expose(trace_id, exposure)

    async def finish(self, end: TurnEnd) -> None:
        """Record the answers, then that the turn was answered."""
        for finding in end.findings:
            if finding["error"] is None:
                await self._traces.save_answer(self.answer(end.trace_id, end.user_id, finding))
        decision = end.decision
        outcome = TurnOutcome(
            reply=end.reply,
            route=decision["route"],
            decided_by=decision["decided_by"],
            confidence=decision["confidence"],
            degraded=end.degraded,
            timings_ms=end.timings_ms,
            usage=end.usage.model_dump(mode="json"),
        )
        await self._traces.finish_turn(end.trace_id, outcome)

    def answer(self, trace_id: str, user_id: str, finding: Finding) -> NewAnswer:
        """One agent's result as the trace keeps it."""
        record = finding["record"]
        candidates = cast(list[dict[str, Any]], record.get("candidates") or [])
        items = cast(list[dict[str, Any]], finding["result"].get("items") or [])
        timings = finding["timings_ms"]
        return NewAnswer(
            trace_id=trace_id,
            agent=finding["agent"],
            user_id=user_id,
            answer=finding["text"],
            request=cast(dict[str, Any], record.get("request") or {}),
            prompt=cast(str, record.get("prompt") or "") or None,
            candidates=[Candidate(one["sku"], one["score"], one.get("signals") or {}) for one in candidates],
            shown=[Shown(item["sku"], item["position"], item["score"]) for item in items],
            result=finding["result"],
            model=cast(dict[str, Any], record.get("model") or self._model),
            tokens=cast(int, record.get("tokens") or 0),
            timings_ms={**timings, "total": timings.get(finding["agent"], 0.0)},
            answer_id=finding["answer_id"],
        )


def active_trace_id() -> str | None:
    """The trace id of the active span: 32 hex digits; None where there is none."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None
