"""Rows for the router: a message and who should handle it.

A corrected route is the target; praise confirms the route that was taken, at half the weight; Gemini's own decisions
are learned from too, the ones first that the local head would have made otherwise. Blame says nothing of the route:
a good route can lead to a poor product.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from shopfloor.evaluation.corrections import route_said
from shopfloor.finetune.datasets.rows import Drop, Evidence, Row, Sifted, Source, Unusable
from shopfloor.finetune.datasets.texts import clean
from shopfloor.finetune.routing.rows import LABELS

CONFIRMED_WEIGHT = 0.5
EASY_FLOOR = 20


@dataclass(frozen=True, slots=True)
class Guess:
    """What the local head makes of a text."""

    route: str
    confidence: float


Guesser = Callable[[Sequence[str]], Sequence[Guess]]


def row_of(evidence: Evidence) -> Row:
    """The row that a reaction gives.

    Raises:
        Unusable: it says nothing about the route, or the text can't be used.
    """
    corrected = _corrected(evidence.correction)
    if corrected is not None:
        return _row(evidence, corrected, "correction", 1.0)
    if evidence.correction is not None:
        raise Unusable("says_nothing_about_route")
    if evidence.liked is None:
        raise Unusable("neither_good_nor_bad")
    if evidence.liked is False:
        raise Unusable("says_nothing_about_route")
    if evidence.decided_by not in {"local", "gemini"} or evidence.route not in LABELS:
        raise Unusable("route_not_learned", evidence.decided_by or "")
    return _row(evidence, evidence.route, evidence.basis, CONFIRMED_WEIGHT)


def distilled(turns: Sequence[Evidence], guess: Guesser) -> Sifted:
    """Rows from Gemini's decisions: all that the head would decide otherwise, and as many of the others (20 at least),
    the least sure first."""
    out = Sifted()
    rows: list[Row] = []
    for turn in turns:
        try:
            rows.append(_row(turn, str(turn.route), "gemini", 1.0))
        except Unusable as reason:
            out.drops.append(Drop("", turn.trace_id, reason.reason, reason.detail))
    guesses = guess([row.text for row in rows])
    pairs = list(zip(rows, guesses, strict=True))
    other = [row for row, found in pairs if found.route != row.target]
    same = sorted(
        ((row, found) for row, found in pairs if found.route == row.target),
        key=lambda pair: (round(pair[1].confidence, 3), pair[0].at, pair[0].sources[0].trace_id),
    )
    room = max(EASY_FLOOR, len(other))
    out.rows = sorted([*other, *(row for row, _ in same[:room])], key=lambda row: (row.at, row.sources[0].trace_id))
    for row, _ in same[room:]:
        out.drop(row, "easy")
    return out


def without_decided(turns: Sequence[Evidence], rows: Sequence[Row]) -> list[Evidence]:
    """The turns that nobody's reaction has made a row of."""
    known = {source.trace_id for row in rows for source in row.sources}
    return [turn for turn in turns if turn.trace_id not in known]


def _corrected(correction: object) -> str | None:
    found = route_said(correction)
    if found is None and isinstance(correction, dict) and correction.get("route") is not None:  # pyright: ignore[reportUnknownMemberType]
        raise Unusable("unknown_route")
    return found


def _row(evidence: Evidence, target: str, basis: str, weight: float) -> Row:
    if target not in LABELS:
        raise Unusable("unknown_route")
    made = Row(
        kind="route",
        text=clean(evidence.text),
        target=target,
        positive=True,
        basis="gemini" if basis == "gemini" else "rating",
        at=evidence.at,
        sources=(Source(evidence.trace_id, evidence.feedback_id, evidence.user_id),),
        fresh=evidence.fresh,
        verified=evidence.verified and basis == "correction",
        weight=weight,
    )
    return replace(made, basis=basis)
