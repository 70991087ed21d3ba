"""``shopfloor eval chat``: whole dialogues with the assistant, each reply compared with what the turn expects.

    - id: rain-jacket
      turns:
        - user: "a waterproof jacket under 160"
          expect: {route: recommendation, skus_any: [SKU_1]}
        - user: "is it in Berlin?"
          expect: {numbers: [30, 12], contains: [Berlin]}

What a turn may expect, all of it optional:

- ``route``: the route, or a list of which one is right;
- ``skus_any``: one of these is shown as a card, answered about or named; a list of lists: one of each;
- ``skus_none``: none of these is shown or answered about;
- ``skus_only``: there are cards, and every card is one of these; ``skus_first``: the first card is;
- ``cards``: whether there are cards at all;
- ``numbers``: each is in the text, to 0.01; an inner list: one of them is;
- ``asks``: whether the reply asks something back;
- ``contains``: each is in the text, in any case; an inner list: one of them is; ``not_contains``: none is.

Every dialogue is a thread of its own by a shopper of its own; the system sees the messages alone. A turn without
expectations counts as right if it was answered. Needs no network but for ``--supervisor gemini``.
"""

import re
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from shopfloor.errors import ConfigError, InputError, ShopfloorError
from shopfloor.evaluation.metrics import Indices
from shopfloor.evaluation.report import Artefacts
from shopfloor.evaluation.runner import Case, CaseScore, Statistic, Suite, SuiteContext
from shopfloor.graph.assistant import Assistant
from shopfloor.settings import Settings
from shopfloor.store.database import Database
from shopfloor.tools.schemas import Reply

_NUMBER = re.compile(r"(?<![\w.])[-−]?\d+(?:,\d{3})*(?:\.\d+)?")
_NUMBER_TOLERANCE = 0.0101

Words = str | list[str | list[str]]


class Expectation(BaseModel):
    """What one reply must be like; see the module's docstring."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    route: str | list[str] | None = None
    skus_any: list[str] | list[list[str]] = Field(default_factory=list[str])
    skus_none: list[str] = Field(default_factory=list)
    skus_only: list[str] = Field(default_factory=list)
    skus_first: list[str] = Field(default_factory=list)
    cards: bool | None = None
    numbers: list[float | list[float]] = Field(default_factory=list[float | list[float]])
    asks: bool | None = None
    contains: Words = Field(default_factory=list[str | list[str]])
    not_contains: str | list[str] = Field(default_factory=list[str])


class Turn(BaseModel):
    """A message and what its reply must be like."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    user: str = Field(min_length=1)
    expect: Expectation = Expectation()


class Message(BaseModel):
    """All of a turn that the system sees."""

    user: str


class ChatCase(Case):
    """A dialogue."""

    turns: list[Turn] = Field(min_length=1)


class ChatQuestion(BaseModel):
    """A dialogue's messages."""

    turns: list[Message]


@dataclass(frozen=True, slots=True)
class Answered:
    """What a reply comes down to. ``named``: SKUs whose product the text names; ``error``: the turn failed."""

    text: str
    route: str = ""
    cards: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    error: str = ""


class ChatSuite(Suite[ChatCase, ChatQuestion, list[Answered]]):
    """Metrics: turns_ok (share of all turns), dialogues_ok (every turn of it). Both intervals are over dialogues."""

    name = "chat"
    shop = "demo"
    case_model = ChatCase
    question_model = ChatQuestion

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._assistant: Assistant | None = None
        self._names: dict[str, str] = {}
        self._asked = 0
        self._artefacts = Artefacts()

    async def open(self, context: SuiteContext) -> None:
        """Open the assistant over the run's own data folder."""
        settings = _with_supervisor(context.settings, context.options.get("supervisor", "local"))
        if "runtime" in context.options or "adapter" in context.options:
            raise InputError("eval chat runs the assistant as it is configured: leave --runtime and --adapter out.")
        self._assistant = await self._stack.enter_async_context(Assistant.open(settings))
        if context.catalogue is None:
            raise ConfigError("eval chat needs a shop; give --shop DIR.")
        catalogue = Database(context.catalogue)
        try:
            rows = await catalogue.read(
                lambda connection: connection.execute("SELECT sku, name FROM products WHERE active = 1").fetchall()
            )
        finally:
            await catalogue.close()
        self._names = {str(row["name"]).casefold(): str(row["sku"]) for row in rows}

    async def predict(self, question: ChatQuestion) -> list[Answered]:
        """Hold the conversation."""
        assert self._assistant is not None, "open() comes first"
        self._asked += 1
        user, thread = f"eval-{self._asked}", None
        answers: list[Answered] = []
        for message in question.turns:
            try:
                reply = await self._assistant.ask(message.user, user_id=user, thread_id=thread, door="eval")
            except ShopfloorError as error:
                answers.append(Answered("", error=f"{error.code}: {error.detail}"))
                continue
            thread = reply.thread_id
            answers.append(self._answered(reply))
        return answers

    def score(self, case: ChatCase, prediction: list[Answered]) -> CaseScore:
        """Compare every reply with its turn."""
        faults = [faults_of(turn.expect, answer) for turn, answer in zip(case.turns, prediction, strict=True)]
        right = [not fault for fault in faults]
        wrong = [
            f"turn {number} ({turn.user!r}): {'; '.join(fault)}; said {answer.text!r}, showed {list(answer.cards)}"
            for number, (turn, fault, answer) in enumerate(zip(case.turns, faults, prediction, strict=True), start=1)
            if fault
        ]
        return CaseScore(
            values={"turns_ok": float(np.mean(right)), "dialogues_ok": float(all(right))},
            ok=all(right),
            expected=[turn.expect.model_dump(mode="json", exclude_defaults=True) for turn in case.turns],
            got=[
                {"text": answer.text, "route": answer.route, "cards": list(answer.cards), "error": answer.error or None}
                for answer in prediction
            ],
            note=" | ".join(wrong),
        )

    def statistics(self, cases: Sequence[ChatCase], predictions: Sequence[list[Answered]]) -> dict[str, Statistic]:
        """``turns_ok`` over all turns, so a long dialogue counts for more."""
        right = np.array(
            [
                sum(not faults_of(turn.expect, answer) for turn, answer in zip(case.turns, prediction, strict=True))
                for case, prediction in zip(cases, predictions, strict=True)
            ]
        )
        turns = np.array([len(case.turns) for case in cases])

        def turns_ok(drawn: Indices) -> float:
            return float(right[drawn].sum() / turns[drawn].sum())

        return {"turns_ok": turns_ok}

    def artefacts(self) -> Artefacts:
        """The local model that answered."""
        return self._artefacts

    async def close(self) -> None:
        """Close the assistant."""
        await self._stack.aclose()

    def _answered(self, reply: Reply) -> Answered:
        self._artefacts = Artefacts(
            model=reply.model.hash or reply.model.name,
            runtime=reply.model.runtime,
            adapters=[reply.model.adapter] if reply.model.adapter else [],
        )
        product = reply.inventory.product if reply.inventory is not None else None
        return Answered(
            text=reply.text,
            route=reply.route.route,
            cards=tuple(item.sku for item in reply.items),
            about=(product.sku,) if product is not None else (),
            named=named_in(reply.text, self._names),
            options=tuple(reply.options),
        )


def faults_of(expect: Expectation, answer: Answered) -> list[str]:
    """What is wrong with a reply, a phrase each."""
    if answer.error:
        return [f"failed ({answer.error})"]
    return [*_route_faults(expect, answer), *_product_faults(expect, answer), *_text_faults(expect, answer)]


def named_in(text: str, names: dict[str, str]) -> tuple[str, ...]:
    """SKUs of the products a text names in full; a longer name hides a shorter one within it."""
    left = text.casefold()
    found: list[str] = []
    for name in sorted(names, key=len, reverse=True):
        left, count = re.subn(rf"(?<!\w){re.escape(name)}(?!\w)", "\0", left)
        if count:
            found.append(names[name])
    return tuple(found)


def numbers_in(text: str) -> list[float]:
    """The numbers a text writes in digits."""
    return [float(match[0].replace(",", "").replace("−", "-")) for match in _NUMBER.finditer(text)]


def _route_faults(expect: Expectation, answer: Answered) -> list[str]:
    faults: list[str] = []
    routes = [expect.route] if isinstance(expect.route, str) else expect.route
    if routes and answer.route not in routes:
        faults.append(f"route {answer.route}, not {' or '.join(routes)}")
    asks = "?" in answer.text or bool(answer.options)
    if expect.asks is not None and asks is not expect.asks:
        faults.append("asks nothing" if expect.asks else "asks back")
    return faults


def _product_faults(expect: Expectation, answer: Answered) -> list[str]:
    faults: list[str] = []
    offered = {*answer.cards, *answer.about}
    mentioned = offered | set(answer.named)
    for group in _groups(expect.skus_any):
        if not mentioned.intersection(group):
            faults.append(f"none of {group}")
    if unwanted := sorted(offered.intersection(expect.skus_none)):
        faults.append(f"unwanted {unwanted}")
    others = [sku for sku in answer.cards if sku not in expect.skus_only]
    if expect.skus_only and (others or not answer.cards):
        faults.append(f"cards that don't fit {others}" if others else "no cards")
    if expect.skus_first and (not answer.cards or answer.cards[0] not in expect.skus_first):
        faults.append(f"first card {answer.cards[0] if answer.cards else 'missing'}")
    if expect.cards is not None and bool(answer.cards) is not expect.cards:
        faults.append("no cards" if expect.cards else "cards nobody asked for")
    return faults


def _groups(skus: list[str] | list[list[str]]) -> list[list[str]]:
    nested = [group for group in skus if isinstance(group, list)]
    return nested or ([[sku for sku in skus if isinstance(sku, str)]] if skus else [])


def _text_faults(expect: Expectation, answer: Answered) -> list[str]:
    faults: list[str] = []
    text = _plain(answer.text)
    wanted = [expect.contains] if isinstance(expect.contains, str) else expect.contains
    for words in wanted:
        choices = [words] if isinstance(words, str) else words
        if not any(_plain(choice) in text for choice in choices):
            faults.append(f"lacks {' or '.join(repr(choice) for choice in choices)}")
    banned = [expect.not_contains] if isinstance(expect.not_contains, str) else expect.not_contains
    faults += [f"says {words!r}" for words in banned if _plain(words) in text]
    said = numbers_in(answer.text)
    for number in expect.numbers:
        choices = number if isinstance(number, list) else [number]
        if not any(abs(choice - one) < _NUMBER_TOLERANCE for choice in choices for one in said):
            faults.append(f"lacks the number {' or '.join(f'{choice:g}' for choice in choices)}")
    return faults


def _plain(text: str) -> str:
    return text.replace("’", "'").casefold()


def _with_supervisor(settings: Settings, supervisor: str) -> Settings:
    if supervisor == "local":
        return settings.model_copy(update={"google_api_key": None})
    if supervisor != "gemini":
        raise InputError(f"--supervisor {supervisor}: choose local or gemini.")
    if settings.google_api_key is None:
        raise ConfigError("--supervisor gemini needs GOOGLE_API_KEY.")
    return settings


def make_suite() -> ChatSuite:
    """The suite, for the registry."""
    return ChatSuite()
