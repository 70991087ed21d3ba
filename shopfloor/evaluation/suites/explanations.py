"""``eval explanations``: what is said about a list of products, by rules a reader can repeat.

The same requests are answered in three ways: by templates, by the local model choosing among grounded sentences, and
by the model writing freely. The one that is shipped is the suite's figure, the others are its baselines. With
``--save DIR`` the folder also gets ``samples.md`` (what shoppers see) and, for a comparison without prejudice,
``blind.md`` (the ways in a shuffled order, unnamed) with its key apart in ``blind_key.json``.
"""

import json
import random
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, Field

from shopfloor.errors import ModelError
from shopfloor.evaluation.explanation_checks import Checks, check_words, opening
from shopfloor.evaluation.metrics import Indices
from shopfloor.evaluation.report import Artefacts
from shopfloor.evaluation.runner import Case, CaseScore, Statistic, Suite, SuiteContext
from shopfloor.evaluation.suites.grounding import check
from shopfloor.evaluation.suites.request_cases import RequestMaker, Row, load_rows
from shopfloor.local_models import open_runtime
from shopfloor.local_models.runtime import GenerateOptions, Runtime
from shopfloor.store.database import Database, connect
from shopfloor.tools.recommendation.agent import RecommendationAgent
from shopfloor.tools.recommendation.explanation import explanation_messages
from shopfloor.tools.recommendation.query import Recommendation, RecommendQuery
from shopfloor.tools.recommendation.text import stems

WAYS = ("templates", "model chooses", "model writes")
NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
"""The season counts in the ranking, so the requests are asked on one day."""
SAMPLES = 50
FREE_TOKENS = 70
PATIENCE_S = 120.0
"""For the model: which way is better is asked here, not how fast it is."""
WISHES = (
    "what do you recommend", "a present for my {kin}", "something nice for my {kin}", "the cheapest {noun}",
    "your best rated {noun}", "popular {noun}", "{noun} by {brand}", "I need {noun} and {other}", "{noun}",
    "do you have {noun} for my {kin}?", "something for around {price}", "which {noun} would you take?",
    "{noun}, not too expensive", "I like {name}, anything similar?",
)  # fmt: skip
KIN = ("mum", "dad", "sister", "brother", "wife", "husband", "friend", "boss", "grandma", "neighbour")


class ExplanationQuestion(BaseModel):
    """A request."""

    text: str = Field(max_length=4_000)


class ExplanationCase(Case):
    """A request; there is no gold but the database and the rules."""

    text: str = Field(max_length=4_000)


@dataclass(frozen=True, slots=True)
class Explained:
    """An answer with its explanation and what the checks found. ``invented``: facts that no row holds."""

    answer: Recommendation
    text: str
    checks: Checks
    invented: tuple[str, ...]


class ExplanationSuite(Suite[ExplanationCase, ExplanationQuestion, Explained]):
    """The recommendation agent's words, over the demo shop or another."""

    name = "explanations"
    shop = "demo"
    case_model = ExplanationCase
    question_model = ExplanationQuestion

    async def open(self, context: SuiteContext) -> None:
        """Open the agents: one a way; without a model only the templates."""
        path = context.catalogue or Path()
        with closing(connect(path, read_only=True)) as connection:
            self._rows = load_rows(connection)
        self._catalogue = Database(path)
        self._runtime: Runtime | None = None
        self._seed = context.seed
        if context.options.get("runtime") != "none":
            try:
                patient = context.settings.model_copy(update={"model_timeout_s": PATIENCE_S})
                self._runtime = await open_runtime(patient)
            except ModelError:
                self._runtime = None
        own = context.settings
        self._shipped = RecommendationAgent(self._catalogue, self._runtime, own)
        self._templates = RecommendationAgent(self._catalogue, None, own)
        choosing = own.model_copy(update={"explanations": "model", "model_timeout_s": PATIENCE_S})
        self._choosing = RecommendationAgent(self._catalogue, self._runtime, choosing)
        self._told: dict[str, dict[str, Explained]] = {}

    def make_cases(self, count: int, seed: int) -> list[ExplanationCase]:
        """Requests with limits and vague ones by turns, made from the shop's own rows."""
        maker, rng = RequestMaker(self._rows, seed), random.Random(seed)
        texts = [maker.make().text if number % 2 else _wish(self._rows, rng) for number in range(count)]
        return [ExplanationCase(id=f"e-{number:04d}", text=text) for number, text in enumerate(texts, start=1)]

    async def predict(self, question: ExplanationQuestion) -> Explained:
        """Ask and let it explain, as a shopper gets it."""
        return await self._explained(self._shipped, question.text)

    def score(self, case: ExplanationCase, prediction: Explained) -> CaseScore:
        """``good``: every check is passed and nothing is invented."""
        checks = prediction.checks
        good = checks.ok and not prediction.invented
        values = {
            "good": float(good),
            "invented": float(len(prediction.invented)),
            "short": float(checks.short),
            "distinct": float(checks.distinct),
            "clean": float(checks.clean),
            "specific": float("nan") if checks.specific is None else float(checks.specific),
            "supported": checks.supported,
            "words": float(checks.words),
        }
        faults = [name for name in ("short", "distinct", "clean", "named") if not getattr(checks, name)]
        faults += ["specific"] if checks.specific is False else []
        return CaseScore(values, good, got=prediction.text, note=", ".join((*faults, *prediction.invented)))

    def statistics(self, cases: Sequence[ExplanationCase], predictions: Sequence[Explained]) -> dict[str, Statistic]:
        """How often the commonest opening occurs: the share of answers that begin with the same three words."""
        first = [opening(p.text, [item.name for item in p.answer.items]) for p in predictions]

        def commonest(index: Indices) -> float:
            drawn = [first[int(place)] for place in index.tolist()]
            return max(Counter(drawn).values()) / len(drawn)

        return {"commonest_opening": commonest}

    async def baselines(self, cases: Sequence[ExplanationCase]) -> dict[str, list[CaseScore]]:
        """The other ways, over the same requests."""
        out: dict[str, list[CaseScore]] = {}
        for way in WAYS if self._runtime is not None else WAYS[:1]:
            out[way] = []
            for case in cases:
                told = await self._in_way(way, case.text)
                self._told.setdefault(case.text, {})[way] = told
                out[way].append(self.score(case, told))
        return out

    def files(self, cases: Sequence[ExplanationCase], predictions: Sequence[Explained]) -> dict[str, str]:
        """Samples to read, and the blind comparison where there was a model."""
        chosen = list(zip(cases, predictions, strict=True))[:SAMPLES]
        out = {"samples.md": samples_page([(case.text, told) for case, told in chosen])}
        ways = {case.text: self._told[case.text] for case, _ in chosen if len(self._told.get(case.text, {})) > 1}
        if ways:
            page, key = blind_page(ways, self._seed)
            out |= {"blind.md": page, "blind_key.json": json.dumps(key, indent=1) + "\n"}
        return out

    def artefacts(self) -> Artefacts:
        """The model of the other ways."""
        info = self._runtime.info if self._runtime is not None else None
        return Artefacts(model=info.form_hash, runtime=info.runtime) if info is not None else Artefacts()

    async def close(self) -> None:
        """Close the database and the model."""
        await self._catalogue.close()
        if self._runtime is not None:
            await self._runtime.close()

    async def _in_way(self, way: str, text: str) -> Explained:
        if way == "model writes" and self._runtime is not None:
            answer = await self._templates.recommend(_query(text))
            options = GenerateOptions(max_tokens=FREE_TOKENS, timeout_s=PATIENCE_S)
            try:
                written = (await self._runtime.chat(explanation_messages(answer), options)).text.strip()
            except ModelError:
                written = ""  # counts as a failure of this way
            return await self._checked(answer, written)
        return await self._explained(self._choosing if way == "model chooses" else self._templates, text)

    async def _explained(self, agent: RecommendationAgent, text: str) -> Explained:
        answer = await agent.recommend(_query(text))
        return await self._checked(answer, "".join([piece async for piece in agent.explain(answer)]))

    async def _checked(self, answer: Recommendation, text: str) -> Explained:
        judged = replace(answer, answer="", note="")  # the text as it was said stands for both
        found = await self._catalogue.read(lambda c: check(c, judged, text))
        known = await self._catalogue.read(lambda c: _vocabulary(c, [item.sku for item in answer.items]))
        return Explained(answer, text, check_words(answer, text, known), found.invented)


def samples_page(told: Sequence[tuple[str, Explained]]) -> str:
    """What shoppers see, as Markdown."""
    lines = ["# Explanations to read", "", "Made by `shopfloor eval explanations --requests 50 --save DIR`.", ""]
    for number, (text, one) in enumerate(told, start=1):
        lines += [f"## {number}. {text or '(nothing said)'}", "", one.text, ""]
        lines += [f"- {item.name}, {item.price} {item.currency}: {item.reason}" for item in one.answer.items] + [""]
    return "\n".join(lines).rstrip() + "\n"


def blind_page(ways: dict[str, dict[str, Explained]], seed: int) -> tuple[str, dict[str, list[str]]]:
    """The ways of each request in an order drawn anew, unnamed; and which was which. Equal texts stay apart."""
    rng, key = random.Random(seed), dict[str, list[str]]()
    lines = ["# Which explanation is best?", "", "The order is drawn anew for each request.", ""]
    for number, (text, told) in enumerate(ways.items(), start=1):
        order = rng.sample(sorted(told), len(told))
        key[str(number)] = order
        cards = told[order[0]].answer.items
        lines += [f"## {number}. {text or '(nothing said)'}", ""]
        lines += [f"- {item.name}, {item.price} {item.currency}: {item.reason}" for item in cards] + [""]
        lines += [f"{letter}: {' '.join(told[way].text.split())}\n" for letter, way in zip("ABC", order, strict=False)]
    return "\n".join(lines).rstrip() + "\n", key


def _query(text: str) -> RecommendQuery:
    return RecommendQuery(text=text, count=3, now=NOW)


def _wish(rows: Sequence[Row], rng: random.Random) -> str:
    """A vague wish about things that the shop has; one that fits what the drawn products tell."""
    while True:
        row, other = rng.choice(rows), rng.choice(rows)
        slots = {
            "kin": rng.choice(KIN),
            "noun": row.category or row.name.split()[-1],
            "other": other.category or other.name.split()[-1],
            "brand": row.brand,
            "name": row.name,
            "price": f"{min(row.prices):.0f} {row.currency}" if row.prices else "",
        }
        wish = rng.choice(WISHES)
        if all(value for name, value in slots.items() if f"{{{name}}}" in wish):
            return wish.format(**slots)


def _vocabulary(connection: sqlite3.Connection, skus: Sequence[str]) -> frozenset[str]:
    """Stems of all that the database says of some products, their keys included."""
    marks = ",".join("?" * len(skus))
    query = (
        "SELECT name, category, currency, description, colour, gender, brand, sizes, attributes FROM products"
        f" WHERE sku IN ({marks}) UNION ALL SELECT p.name, '', '', '', '', '', '', '', '' FROM products p"
        f" JOIN co_purchase c ON c.other = p.sku WHERE c.sku IN ({marks})"
    )
    rows = connection.execute(query, (*skus, *skus)).fetchall()
    return frozenset(stem for row in rows for value in row for stem in stems(str(value or "")))


def make_suite() -> ExplanationSuite:
    """Made by the registry."""
    return ExplanationSuite()
