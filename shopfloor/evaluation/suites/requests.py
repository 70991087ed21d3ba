"""``eval requests``: text requests with constraints. Main metric: the share of answers that keep every constraint.

An empty answer fails where something fits; where nothing fits, the answer must say so. Without ``--cases`` the
requests are made from the shop's own rows (``--requests N``).
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field, JsonValue

from shopfloor.evaluation.metrics import ndcg_at
from shopfloor.evaluation.report import Artefacts
from shopfloor.evaluation.runner import Case, CaseScore, Suite, SuiteContext
from shopfloor.evaluation.suites.request_cases import RequestMaker, Row, compact, fits, load_rows
from shopfloor.local_models import open_runtime
from shopfloor.local_models.runtime import Runtime
from shopfloor.store.database import Database, connect
from shopfloor.tools.recommendation.agent import RecommendationAgent
from shopfloor.tools.recommendation.query import ParsedRequest, RecommendQuery

SHOWN = 10


class RequestQuestion(BaseModel):
    """What the agent may see. ``context``: the text before this one, or {previous, shown, focus_sku, city, store_id}."""

    text: str = Field(max_length=4_000)
    context: str | dict[str, JsonValue] | list[str] | None = None
    user_id: str | None = None


class RequestCase(Case):
    """A request, its constraints and, where the case names them, the products that fit."""

    text: str = Field(max_length=4_000)
    context: str | dict[str, JsonValue] | list[str] | None = None
    user_id: str | None = None
    constraints: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    relevant: list[str] | None = None


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

    async def open(self, context: SuiteContext) -> None:
        """Open the agent over the run's own database."""
        path = context.catalogue or Path()
        with closing(connect(path, read_only=True)) as connection:
            self._rows = load_rows(connection)
        self._by_sku = {row.sku: row for row in self._rows}
        self._catalogue = Database(path)
        self._runtime: Runtime | None = None
        if context.settings.model_ranking == "on":
            self._runtime = await open_runtime(context.settings)
        self._agent = RecommendationAgent(self._catalogue, self._runtime, context.settings)

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
        answer = await self._agent.recommend(await self._query(question))
        return RequestAnswer(tuple(item.sku for item in answer.items), answer.note, answer.parsed, answer.model_scored)

    async def _query(self, question: RequestQuestion) -> RecommendQuery:
        context = question.context
        data: Mapping[str, JsonValue] = context if isinstance(context, dict) else {}
        shown = _skus(context if isinstance(context, list) else data.get("shown"))
        focus = data.get("focus_sku") or data.get("sku") or data.get("current_item")
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
        """All shown products keep all constraints; NDCG over the products that fit."""
        fitting = {row.sku for row in self._rows if fits(row, case.constraints)}
        wrong = [sku for sku in prediction.skus if sku not in fitting]
        if fitting:
            kept = bool(prediction.skus) and not wrong
        else:
            kept = bool(prediction.note)
        relevant = case.relevant if case.relevant is not None else sorted(fitting)
        values = {
            "constraints_kept": float(kept),
            "ndcg@10": ndcg_at(prediction.skus, relevant, 10) if relevant else float("nan"),
            "categories": float(len({self._by_sku[sku].category for sku in prediction.skus if sku in self._by_sku})),
        }
        return CaseScore(
            values=values,
            ok=kept,
            expected=compact(case.constraints),
            got=[self._line(sku) for sku in prediction.skus[:5]],
            slices={"constraints": "+".join(sorted(case.constraints)) or "none"},
            note=prediction.note or ("" if prediction.skus else "empty"),
        )

    def _line(self, sku: str) -> str:
        row: Row | None = self._by_sku.get(sku)
        return f"{sku} {row.name} {min(row.prices, default=0):g}" if row is not None else f"{sku} (unknown)"

    def artefacts(self) -> Artefacts:
        """The model, where its score was asked for."""
        info = self._runtime.info if self._runtime is not None else None
        return Artefacts(model=info.form_hash, runtime=info.runtime) if info is not None else Artefacts()

    async def close(self) -> None:
        """Close the database and the model."""
        await self._catalogue.close()
        if self._runtime is not None:
            await self._runtime.close()


def _skus(value: JsonValue | Sequence[str]) -> tuple[str, ...]:
    return tuple(str(part) for part in value) if isinstance(value, list) else ()


def _text(value: JsonValue) -> str | None:
    return value if isinstance(value, str) else None


def make_suite() -> RequestSuite:
    """Made by the registry."""
    return RequestSuite()
