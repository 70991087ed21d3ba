"""``eval requests``: text requests with constraints. Main metric: the share of answers that keep every constraint.

An empty answer fails where something fits; where nothing fits, the answer must say so. A case states what must be kept
as ``constraints`` (see :mod:`shopfloor.evaluation.suites.request_cases`) or as the predicates ``keep`` and ``best`` (see
:mod:`shopfloor.evaluation.suites.request_gold`), and may name the products that fit best as ``relevant``. Without
``--cases`` the requests are made from the shop's own rows (``--requests N``).

``--without facets`` ranks without hard constraints, ``--without behaviour`` without anything but the request's words,
``--without facets,behaviour`` without both; ``words`` (BM25 and the words of names), ``popularity``, ``copurchase``,
``history`` and ``season`` are parts of the order by themselves; ``--model`` lets the local model join
(:mod:`shopfloor.evaluation.suites.request_model`). The baseline ``bm25`` is the full-text index alone, over all words written.
"""

import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel, Field, JsonValue, model_validator

from shopfloor.errors import InputError
from shopfloor.evaluation.metrics import ndcg_at
from shopfloor.evaluation.report import Artefacts
from shopfloor.evaluation.runner import Case, CaseScore, Suite, SuiteContext
from shopfloor.evaluation.suites.request_cases import RequestMaker, Row, compact, fits, load_rows
from shopfloor.evaluation.suites.request_gold import Gold, Predicate
from shopfloor.evaluation.suites.request_model import MODEL_PARTS, ModelParts
from shopfloor.evaluation.suites.request_variety import Variety
from shopfloor.local_models import open_runtime
from shopfloor.local_models.runtime import Runtime
from shopfloor.store.database import Database, connect
from shopfloor.tools.recommendation.agent import RecommendationAgent
from shopfloor.tools.recommendation.model_score import DEADLINE_S
from shopfloor.tools.recommendation.query import ParsedRequest, RecommendQuery
from shopfloor.tools.recommendation.ranking import RankingWeights

SHOWN = 10
PATIENCE_S = 60.0  # what the score is worth, not whether it comes in time
SIGNALS: Mapping[str, tuple[str, ...]] = {  # parts of the order that can be left out, and their weights
    "behaviour": ("popular", "rating", "together", "taste", "repeat", "season"),
    "words": ("text", "words"),
    "popularity": ("popular", "rating"),
    "copurchase": ("together",),
    "history": ("taste", "repeat"),
    "season": ("season",),
}
PARTS = frozenset({"facets", *SIGNALS})
_WORDS = re.compile(r"[^\W_]+")


class RequestQuestion(BaseModel):
    """What the agent may see.

    ``context``: the text before this one, or {previous, shown, focus_sku, city, store_id}; in place of ``focus_sku``,
    ``focus`` may name words: the dearest product that has them in its name.
    """

    text: str = Field(max_length=4_000)
    context: str | dict[str, JsonValue] | list[str] | None = None
    user_id: str | None = None


class RequestCase(Case):
    """A request, what must be kept (``constraints`` or ``keep``) and, where the case names them, what fits best."""

    text: str = Field(max_length=4_000)
    context: str | dict[str, JsonValue] | list[str] | None = None
    user_id: str | None = None
    constraints: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    relevant: list[str] | None = None
    keep: Predicate | None = None
    best: Predicate | None = None

    @model_validator(mode="after")
    def _one_gold(self) -> "RequestCase":
        if self.keep is not None and self.constraints:
            raise ValueError("give either constraints or keep, not both")
        if self.best is not None and self.keep is None:
            raise ValueError("best needs keep beside it")
        return self


@dataclass(frozen=True, slots=True)
class Fitting:
    """What fits a case, what fits best, and in short what was asked."""

    skus: frozenset[str]
    best: frozenset[str]
    asked: str
    kind: str


@dataclass(frozen=True, slots=True)
class RequestAnswer:
    """What the agent showed."""

    skus: tuple[str, ...]
    note: str
    parsed: ParsedRequest
    model_scored: bool


class RequestSuite(Suite[RequestCase, RequestQuestion, RequestAnswer]):
    """The recommendation agent over one shop; the model joins only where the settings want its score."""

    name = "requests"
    shop = "demo"
    case_model = RequestCase
    question_model = RequestQuestion

    def __init__(self) -> None:
        self._catalogue: Database | None = None
        self._runtime: Runtime | None = None
        self._model: ModelParts | None = None
        self._fitted: dict[int, Fitting] = {}  # by the case's identity: a run keeps its cases

    async def open(self, context: SuiteContext) -> None:
        """Open the agent over the run's own database."""
        path = context.catalogue or Path()
        with closing(connect(path, read_only=True)) as connection:
            self._rows = load_rows(connection)
            self._gold = Gold.load(connection)
            self._variety = Variety.load(connection)
        self._path = path
        self._by_sku = {row.sku: row for row in self._rows}
        without = _parts(context, "without", PARTS)
        parts = _parts(context, "model", MODEL_PARTS)
        settings = context.settings.model_copy(update={"model_ranking": "on"} if "score" in parts else {})
        if settings.model_ranking == "on" or "kind" in parts:
            self._runtime = await open_runtime(settings)
        names = {row.sku: row.name for row in self._rows}
        categories = sorted({row.category for row in self._rows if row.category})
        if parts:
            self._model = await ModelParts.open(parts, settings, self._runtime, names, categories)
        self._catalogue = Database(path)
        self._agent = RecommendationAgent(
            self._catalogue,
            self._runtime,
            settings,
            weights=replace(RankingWeights(), **{name: 0.0 for part in without for name in SIGNALS.get(part, ())}),
            score_deadline_s=PATIENCE_S if "score" in parts else DEADLINE_S,
            use_facets="facets" not in without,
        )

    def make_cases(self, count: int, seed: int) -> list[RequestCase]:
        """Requests over the shop's own rows, with what fits."""
        maker = RequestMaker(self._rows, seed)
        made = [maker.make() for _ in range(count)]
        return [
            RequestCase(
                id=f"made-{number:04d}",
                text=request.text,
                constraints=dict(request.constraints),
                relevant=[row.sku for row in self._rows if fits(row, request.constraints)],
            )
            for number, request in enumerate(made, start=1)
        ]

    async def predict(self, question: RequestQuestion) -> RequestAnswer:
        """Ask the agent, in the light of the case's context."""
        query = await self._query(question)
        if self._model is not None:
            query = replace(query, text=await self._model.with_kind(query.text, await self._agent.parse(query)))
        answer = await self._agent.recommend(query)
        skus = tuple(item.sku for item in answer.items)
        if self._model is not None:
            skus = await self._model.in_order(question.text, skus)
        return RequestAnswer(skus, answer.note, answer.parsed, answer.model_scored)

    async def _query(self, question: RequestQuestion) -> RecommendQuery:
        context = question.context
        data: Mapping[str, JsonValue] = context if isinstance(context, dict) else {}
        shown = _skus(context if isinstance(context, list) else data.get("shown"))
        focus = data.get("focus_sku") or data.get("sku") or data.get("current_item")
        named = self._gold.dearest(str(data["focus"])) if data.get("focus") else None
        focus = named[0] if named is not None else focus
        earlier = context if isinstance(context, str) else data.get("previous") or data.get("text")
        previous: ParsedRequest | None = None
        if isinstance(earlier, str) and earlier.strip():
            if earlier in self._by_sku:
                focus = focus or earlier
            else:
                before = await self._agent.recommend(RecommendQuery(text=earlier, user_id=question.user_id))
                previous, shown = before.parsed, shown or tuple(item.sku for item in before.items)
        return RecommendQuery(
            text=question.text,
            count=SHOWN,
            user_id=question.user_id,
            shown=shown,
            focus_sku=focus if isinstance(focus, str) else None,
            previous=previous,
            city=_text(data.get("city")),
            store_id=_text(data.get("store_id")),
        )

    def score(self, case: RequestCase, prediction: RequestAnswer) -> CaseScore:
        """All shown products keep all constraints; NDCG over the products that fit best."""
        gold = self._fitted.get(id(case)) or self._fitting(case)
        self._fitted[id(case)] = gold
        wrong = [sku for sku in prediction.skus if sku not in gold.skus]
        kept = bool(prediction.skus) and not wrong if gold.skus else bool(prediction.note)
        values = {
            "constraints_kept": float(kept),
            "ndcg@10": ndcg_at(prediction.skus, sorted(gold.best), 10) if gold.best else float("nan"),
            "empty": float(not prediction.skus) if gold.skus else float("nan"),
            **self._variety.of(prediction.skus),
        }
        return CaseScore(
            values=values,
            ok=kept,
            expected=gold.asked,
            got=[("" if sku in gold.skus else "WRONG ") + self._line(sku) for sku in prediction.skus[:5]],
            slices={"constraints": gold.kind},
            note=prediction.note or ("" if prediction.skus else "empty"),
        )

    def _fitting(self, case: RequestCase) -> Fitting:
        if case.keep is None:
            skus = frozenset(row.sku for row in self._rows if fits(row, case.constraints))
            best = frozenset(case.relevant) if case.relevant is not None else skus
            return Fitting(skus, best, compact(case.constraints), "+".join(sorted(case.constraints)) or "none")
        limit = self._focus_price(case.context)
        skus = frozenset(self._gold.fitting(case.keep, cheaper_than=limit))
        best = skus & frozenset(self._gold.fitting(case.best)) if case.best is not None else skus
        if case.relevant is not None:
            best = frozenset(case.relevant)
        asked = case.keep.model_dump(by_alias=True, exclude_unset=True)
        kind = "with context" if case.context else "negation" if case.keep.never is not None else "by itself"
        return Fitting(skus, best or skus, compact(asked), kind if skus else "nothing fits")

    def _focus_price(self, context: str | dict[str, JsonValue] | list[str] | None) -> float | None:
        """The price of what is in focus, for a request of something cheaper."""
        words = context.get("focus") if isinstance(context, dict) else None
        found = self._gold.dearest(words) if isinstance(words, str) else None
        return found[1] if found is not None else None

    async def baselines(self, cases: Sequence[RequestCase]) -> dict[str, list[CaseScore]]:
        """Plain BM25: the full-text index, every word of the request (and of the one before it), best first."""
        with closing(connect(self._path, read_only=True)) as connection:
            found = [_bm25(connection, _all_text(case)) for case in cases]
        answers = [RequestAnswer(skus, "" if skus else "nothing", ParsedRequest(), False) for skus in found]
        return {"bm25": [self.score(case, answer) for case, answer in zip(cases, answers, strict=True)]}

    def _line(self, sku: str) -> str:
        row: Row | None = self._by_sku.get(sku)
        return f"{sku} {row.name} {min(row.prices, default=0):g}" if row is not None else f"{sku} (unknown)"

    def artefacts(self) -> Artefacts:
        """The model, where its score was asked for."""
        info = self._runtime.info if self._runtime is not None else None
        return Artefacts(model=info.form_hash, runtime=info.runtime) if info is not None else Artefacts()

    async def close(self) -> None:
        """Close the database and the model."""
        for part in (self._catalogue, self._model, self._runtime):
            if part is not None:
                await part.close()


def _skus(value: JsonValue | Sequence[str]) -> tuple[str, ...]:
    return tuple(str(part) for part in value) if isinstance(value, list) else ()


def _text(value: JsonValue) -> str | None:
    return value if isinstance(value, str) else None


def _parts(context: SuiteContext, option: str, known: frozenset[str]) -> frozenset[str]:
    given = frozenset(part.strip() for part in context.options.get(option, "").split(",") if part.strip())
    if given - known:
        raise InputError(f"--{option} {', '.join(sorted(given - known))}: choose from {', '.join(sorted(known))}.")
    return given


def _all_text(case: RequestCase) -> str:
    context = case.context
    before = context if isinstance(context, str) else context.get("previous") if isinstance(context, dict) else None
    return f"{before} {case.text}" if isinstance(before, str) else case.text


def _bm25(connection: sqlite3.Connection, text: str) -> tuple[str, ...]:
    match = " OR ".join(f'"{word}"' for word in dict.fromkeys(_WORDS.findall(text.lower())))
    if not match:
        return ()
    rows = connection.execute(
        "SELECT sku FROM product_fts JOIN products ON product_no = product_fts.rowid WHERE product_fts MATCH ?"
        " ORDER BY bm25(product_fts), product_no LIMIT ?",
        (match, SHOWN),
    )
    return tuple(str(row["sku"]) for row in rows)


def make_suite() -> RequestSuite:
    """Made by the registry."""
    return RequestSuite()
