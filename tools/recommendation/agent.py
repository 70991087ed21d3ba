"""The recommendation agent: request in, cards with reasons out, then a streamed explanation.

agent = RecommendationAgent(catalogue, runtime, settings)
answer = await agent.recommend(RecommendQuery(text="a warm blue jacket under 120", user_id="ada"))
async for piece in agent.explain(answer): ...
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from opentelemetry import trace

from shopfloor.errors import ModelError
from shopfloor.local_models.runtime import Runtime
from shopfloor.settings import Settings
from shopfloor.store.database import Database
from shopfloor.tools.recommendation.behaviour import Past, load_past
from shopfloor.tools.recommendation.cards import Facts, Place, load_facts
from shopfloor.tools.recommendation.colour_rows import denied_colour_rows
from shopfloor.tools.recommendation.constraints import Fit, Mask, fit
from shopfloor.tools.recommendation.explanation import stream_explanation
from shopfloor.tools.recommendation.model_score import (
    DEADLINE_S,
    MAX_SCORED,
    MEASURED_TO_HELP,
    model_scores,
    needs_opinion,
    scoring_prefix,
)
from shopfloor.tools.recommendation.parsing import parse
from shopfloor.tools.recommendation.places import find_place
from shopfloor.tools.recommendation.query import Candidate, ParsedRequest, Recommendation, RecommendQuery
from shopfloor.tools.recommendation.ranking import RankingWeights, best_rows, edge_row, fused, popularity, with_variety
from shopfloor.tools.recommendation.refinement import refine
from shopfloor.tools.recommendation.retrieval import retrieve
from shopfloor.tools.recommendation.sentences import explanations
from shopfloor.tools.recommendation.snapshot import Snapshot, load_snapshot, read_revision
from shopfloor.tools.recommendation.usage import ModelUsage
from shopfloor.tools.recommendation.vocabulary import Vocabulary, build_vocabulary
from shopfloor.tools.recommendation.wishes import Wish, joined, share_of, wishes_of
from shopfloor.tools.recommendation.wording import Why, edge_note, reasons, relaxed_note, unsaid_note
from shopfloor.tools.schemas import RecommendedItem

MAX_CANDIDATES = 20
BEST_SELLERS = 0.02  # share of the catalogue that counts as best sellers, at least 5 products

_tracer = trace.get_tracer("shopfloor")


@dataclass(frozen=True, slots=True)
class Opinion:
    """What asking the model came to: the prompt's prefix (empty: no opinion was used), and why there is none.

    ``failed``: it was wanted and is not to be had; ``late``: it was still thinking at the deadline.
    """

    prompt: str = ""
    failed: bool = False
    late: bool = False
    usage: ModelUsage = field(default_factory=ModelUsage)


@dataclass(frozen=True, slots=True)
class Found:
    """What retrieval hands on: candidates best first, with what every signal gave each."""

    parsed: ParsedRequest
    fit: Fit
    place: Place
    past: Past
    candidates: tuple[Candidate, ...]
    facts: dict[str, Facts]


@dataclass(frozen=True, slots=True)
class Wished:
    """What was found for each wish of a request; most have one, and then ``wishes`` and ``others`` are empty."""

    whole: ParsedRequest
    wishes: tuple[Wish, ...]
    found: Found
    others: tuple[Found, ...] = ()


class RecommendationAgent:
    """Recommends products of one catalogue. Safe for many callers at once; ``weights`` may be replaced meanwhile."""

    def __init__(
        self,
        catalogue: Database,
        runtime: Runtime | None,
        settings: Settings,
        *,
        weights: RankingWeights | None = None,
        score_deadline_s: float = DEADLINE_S,
        use_facets: bool = True,
    ) -> None:
        self._catalogue = catalogue
        self._runtime = runtime
        self._settings = settings
        self.weights = weights or RankingWeights()
        self._score_deadline_s = score_deadline_s
        self._use_facets = use_facets
        self._loaded: tuple[Snapshot, Vocabulary] | None = None
        self._loading = asyncio.Lock()

    async def warm(self) -> tuple[Snapshot, Vocabulary]:
        """Read the catalogue's facets and words now rather than at the first request."""
        return await self._facets()

    async def forget_texts(self) -> None:
        """Let go of the words of requests that are remembered to be faster."""
        if self._loaded is not None:
            self._loaded[0].search.stemmer.forget()

    async def parse(self, query: RecommendQuery) -> ParsedRequest:
        """Only understand a request, in the light of the conversation."""
        snapshot, vocabulary = await self._facets()
        past = await self._catalogue.read(lambda c: load_past(c, query.user_id, ()))
        return refine(parse(query.text, snapshot, vocabulary), query, snapshot, past.bought)

    async def recommend(self, query: RecommendQuery) -> Recommendation:
        """Choose, rank and explain up to ``query.count`` products. An empty list comes with a note."""
        started = perf_counter()
        with _tracer.start_as_current_span("recommend") as span:
            snapshot, vocabulary = await self._facets()
            loaded = perf_counter()
            with _tracer.start_as_current_span("sql retrieve"):
                wishes = await self._catalogue.read(lambda c: self._retrieve(c, query, snapshot, vocabulary))
            retrieved = perf_counter()
            first, opinion = await self._with_model(query, wishes.found)
            ranked = perf_counter()
            answer = self._answer(query, first, snapshot)
            if wishes.others:
                counts = [share_of(query.count, len(wishes.wishes), place) for place in range(len(wishes.wishes))]
                parts = [
                    self._answer(replace(query, count=count), found, snapshot)
                    for count, found in zip(counts, (first, *wishes.others), strict=True)
                ]
                answer = joined(parts, wishes.wishes, wishes.whole)
            span.set_attribute("shopfloor.items", len(answer.items))
            timings = {
                "load": (loaded - started) * 1000,
                "retrieve": (retrieved - loaded) * 1000,
                "model": (ranked - retrieved) * 1000,
                "cards": (perf_counter() - ranked) * 1000,
                "total": (perf_counter() - started) * 1000,
            }
            if opinion.late:
                timings["model_late"] = timings["model"]
            return replace(
                answer,
                prompt=opinion.prompt,
                model_scored=bool(opinion.prompt),
                degraded=opinion.failed,
                timings_ms=timings,
                usage=opinion.usage,
            )

    def explain(self, rec: Recommendation, usage: ModelUsage | None = None) -> AsyncIterator[str]:
        """Stream one or two grounded sentences; joined they are the explanation.

        ``usage`` gets the model's tokens added, complete when the stream has ended.
        """
        return stream_explanation(self._runtime, self._settings, rec, usage)

    async def _facets(self) -> tuple[Snapshot, Vocabulary]:
        revision = await self._catalogue.read(read_revision)
        loaded = self._loaded
        if loaded is not None and loaded[0].revision == revision:
            return loaded
        async with self._loading:
            if self._loaded is None or self._loaded[0].revision != revision:
                self._loaded = await self._catalogue.read(_load)
            return self._loaded

    def _retrieve(
        self, connection: sqlite3.Connection, query: RecommendQuery, snapshot: Snapshot, vocabulary: Vocabulary
    ) -> Wished:
        past = load_past(connection, query.user_id, query.basket)
        whole = refine(parse(query.text, snapshot, vocabulary), query, snapshot, past.bought)
        wishes = () if whole.refines else wishes_of(whole, snapshot, vocabulary)
        found = [
            self._find(connection, query, parsed, snapshot, past)
            for parsed in ([wish.parsed for wish in wishes] or [whole])
        ]
        return Wished(whole, wishes, found[0], tuple(found[1:]))

    def _find(
        self,
        connection: sqlite3.Connection,
        query: RecommendQuery,
        parsed: ParsedRequest,
        snapshot: Snapshot,
        past: Past,
    ) -> Found:
        place, place_mask = find_place(connection, snapshot, query.city, query.store_id)
        allowed = self._allowed(snapshot, query)
        asked = parsed if self._use_facets else ParsedRequest(exclude_skus=parsed.exclude_skus)
        fitting = fit(asked, snapshot, place_mask, allowed)
        if (parsed.price_firm or parsed.degree_above is not None) and not fitting.mask.any():
            # Nothing is cheaper (dearer, warmer): the one that comes nearest, seen before or not, is the answer.
            edge = replace(parsed, exclude_skus=(), like_sku=None, degree_above=None)
            if parsed.price_firm:
                edge = replace(edge, price_min=None, price_max=None)
            fitting = replace(fit(edge, snapshot, place_mask, allowed), relaxed=("edge",))
            query = replace(query, count=1)
        parsed = replace(parsed, relaxed=fitting.relaxed)
        rows: NDArray[np.int64] = np.flatnonzero(fitting.mask)
        if "edge" in fitting.relaxed and len(rows):
            seen = [snapshot.row_of[sku] for sku in query.shown if sku in snapshot.row_of]
            if not np.isin(seen, rows).any():  # what is on the screen may be no such thing as is asked for now
                rows = np.union1d(rows, np.asarray(seen, dtype=np.int64))
            rows = edge_row(parsed, snapshot, rows)
        candidates = self._rank(query, parsed, snapshot, past, rows) if len(rows) else ()
        shown_place = Place() if "place" in fitting.relaxed else place
        facts = load_facts(connection, [c.sku for c in candidates], parsed, shown_place, snapshot.has_stock)
        return Found(parsed, fitting, place, past, candidates, facts)

    def _allowed(self, snapshot: Snapshot, query: RecommendQuery) -> Mask | None:
        allowed = np.ones(len(snapshot), dtype=np.bool_)
        for sku in query.basket:
            row = snapshot.row_of.get(sku)
            if row is not None:
                allowed[row] = False
        if self._settings.out_of_stock == "hide" and snapshot.has_stock:
            allowed &= snapshot.stock > 0
        return allowed

    def _rank(
        self,
        query: RecommendQuery,
        parsed: ParsedRequest,
        snapshot: Snapshot,
        past: Past,
        rows: NDArray[np.int64],
    ) -> tuple[Candidate, ...]:
        found = retrieve(snapshot, parsed, rows, (*past.weights, *past.together))
        rows = found.rows
        month = (query.now or datetime.now(UTC)).month
        signals = fused(parsed, snapshot, past, found, month, self.weights)
        if self._settings.out_of_stock == "demote" and snapshot.has_stock:
            signals["sold_out"] = np.where(snapshot.stock[rows] > 0, 0.0, self.weights.sold_out)
        if parsed.not_colours:
            signals["denied"] = np.where(denied_colour_rows(parsed, snapshot)[rows], self.weights.denied, 0.0)
        total = np.sum(list(signals.values()), axis=0) if signals else np.zeros(len(rows))
        best = best_rows(total, rows, max(MAX_CANDIDATES, query.count))
        chosen = [
            Candidate(
                snapshot.sku[int(rows[i])],
                float(total[i]),
                {name: float(values[i]) for name, values in signals.items() if values[i]},
            )
            for i in best
        ]
        return tuple(chosen)

    async def _with_model(self, query: RecommendQuery, found: Found) -> tuple[Found, Opinion]:
        """Add the model's signal where it counts."""
        if not self._asks_model(query, found):
            return found, Opinion()
        if self._runtime is None:
            return found, Opinion(failed=True)
        asked = [c for c in found.candidates if c.sku in found.facts][:MAX_SCORED]
        try:
            with _tracer.start_as_current_span("model score"):
                async with asyncio.timeout(self._score_deadline_s):
                    scores, usage = await model_scores(self._runtime, query.text, [found.facts[c.sku] for c in asked])
        except TimeoutError:
            trace.get_current_span().add_event("ranked without the model", {"reason": "late"})
            return found, Opinion(late=True)
        except ModelError as error:
            trace.get_current_span().add_event("ranked without the model", {"reason": error.code})
            return found, Opinion(failed=True)
        extras = dict(zip((c.sku for c in asked), (self.weights.model * scores).tolist(), strict=True))
        weighted = [
            Candidate(c.sku, c.score + extras[c.sku], {**c.signals, "model": extras[c.sku]}) if c.sku in extras else c
            for c in found.candidates
        ]
        weighted.sort(key=lambda c: -c.score)
        return replace(found, candidates=tuple(weighted)), Opinion(scoring_prefix(query.text), usage=usage)

    def _asks_model(self, query: RecommendQuery, found: Found) -> bool:
        mode = self._settings.model_ranking
        wanted = mode == "on" or (mode == "auto" and MEASURED_TO_HELP)
        return wanted and len(found.candidates) > 1 and bool(query.text) and needs_opinion(found.parsed)

    def _answer(self, query: RecommendQuery, found: Found, snapshot: Snapshot) -> Recommendation:
        known = [c for c in found.candidates if c.sku in found.facts]
        known = _demoted(known, found.facts, self._settings, self.weights)
        picked = _varied(known, found, query.count, self.weights)
        chosen = _reasons_of(picked, found, snapshot)
        words = reasons(chosen, found.parsed, found.place if "place" not in found.fit.relaxed else Place())
        items = [
            _card(candidate, why.facts, reason, position)
            for position, (candidate, why, reason) in enumerate(zip(picked, chosen, words, strict=True), start=1)
        ]
        note = relaxed_note(found.fit.relaxed, found.parsed, found.place, len(items))
        note = note or (unsaid_note(found.fit.unsaid) if items else "")
        sentences = explanations(chosen, found.parsed, words)
        if "edge" in found.fit.relaxed and chosen:
            note, sentences = edge_note(chosen[0].facts, found.parsed), []
        answer = " ".join(part for part in (note, *(options[0] for options in sentences)) if part)
        return Recommendation(
            items=items,
            parsed=found.parsed,
            candidates=tuple(known),
            answer=answer,
            note=note,
            phrasings=tuple(tuple(options) for options in sentences),
        )


def _load(connection: sqlite3.Connection) -> tuple[Snapshot, Vocabulary]:
    snapshot = load_snapshot(connection)
    return snapshot, build_vocabulary(snapshot)


def _demoted(
    candidates: Sequence[Candidate], facts: dict[str, Facts], settings: Settings, weights: RankingWeights
) -> list[Candidate]:
    """Sold out is known for sure only from the card's own stock (size, colour and place count): demote or hide by it."""
    if settings.out_of_stock == "hide":
        return [c for c in candidates if facts[c.sku].in_stock]
    if settings.out_of_stock == "show":
        return list(candidates)
    out: list[Candidate] = []
    for candidate in candidates:
        if facts[candidate.sku].in_stock or "sold_out" in candidate.signals:
            out.append(candidate)
        else:
            signals = {**candidate.signals, "sold_out": weights.sold_out}
            out.append(Candidate(candidate.sku, candidate.score + weights.sold_out, signals))
    return sorted(out, key=lambda c: -c.score)


def _varied(candidates: Sequence[Candidate], found: Found, count: int, weights: RankingWeights) -> list[Candidate]:
    if not found.parsed.is_vague or found.parsed.order is not None:
        return list(candidates[:count])
    kinds = [found.facts[c.sku].category or "" for c in candidates]
    out: list[Candidate] = []
    for index, taken in with_variety([c.score for c in candidates], kinds, count, weights.variety):
        candidate = candidates[index]
        if taken and kinds[index]:
            candidate = Candidate(candidate.sku, candidate.score + taken, {**candidate.signals, "variety": taken})
        out.append(candidate)
    return out


def _reasons_of(picked: Sequence[Candidate], found: Found, snapshot: Snapshot) -> list[Why]:
    popular = popularity(snapshot)
    top = max(5, int(len(snapshot) * BEST_SELLERS))
    line = float(np.sort(popular)[-min(top, len(popular))]) if len(popular) else 1.0
    out: list[Why] = []
    for candidate in picked:
        partner = found.past.partners.get(candidate.sku)
        row = snapshot.row_of[candidate.sku]
        named = snapshot.row_of.get(partner[0]) if partner else None
        strong = candidate.signals.get("together", 0.0) > 0.05
        out.append(
            Why(
                facts=found.facts[candidate.sku],
                signals=candidate.signals,
                partner=snapshot.names[named] if named is not None and strong else None,
                bought_before=candidate.sku in found.past.weights,
                best_seller=bool(popular[row] >= line and popular[row] > 0),
            )
        )
    return out


def _card(candidate: Candidate, facts: Facts, reason: str, position: int) -> RecommendedItem:
    return RecommendedItem(
        sku=facts.sku,
        name=facts.name,
        price=facts.price,
        currency=facts.currency,
        reason=reason,
        score=candidate.score,
        signals=dict(candidate.signals),
        in_stock=facts.in_stock,
        position=position,
        category=facts.category,
        colour="|".join(facts.colours) or None,
        sizes=list(facts.sizes),
        rating_mean=facts.rating_mean,
        rating_count=facts.rating_count,
        stock_total=facts.stock,
    )
