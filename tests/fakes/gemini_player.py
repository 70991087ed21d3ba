"""Gemini played from a dialogue file: a function call or an answer for each user turn, over Gemini's wire format.

    python -m tests.fakes.gemini_player CASES.yaml            # prints the address to set as SHOPFLOOR_GEMINI_BASE_URL

What it calls is derived from each turn's own expectation of the route and from what a remote model is shown: the
messages, the products on the screen and the focus. It calls ``recommend`` for wishes, ``product_details`` for what
products are like, ``check_inventory`` for stock and stores, and two of them where both are expected; a turn of the shop's
staff or of small talk it answers itself, with the words that the turn expects. Prices, stock and products it never
makes up: with the tools' results in hand it says what they say.

Where a message leans on the one before ("and in Munich?", "for how long?"), a remote model puts the question out in
full. That is written down beside this file, in ``gemini_script.yaml``: for a dialogue's id and a turn's number, the
function calls, with ``$focus`` and ``$1``, ``$2`` for the SKUs that the model sees in focus and on the screen.
"""

import asyncio
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml

from tests.fakes.gemini import FakeGemini, Step, calls, says

SCRIPT = Path(__file__).with_name("gemini_script.yaml")
CITIES = (
    "Berlin", "Munich", "München", "London", "Madrid", "Delhi", "Tokyo", "Sydney", "Cape Town", "New York", "Vancouver",
    "São Paulo", "Sao Paulo", "Mitte", "Kreuzberg", "online", "Paris", "Westeros", "Mordor", "Ropewalker", "Sailcloth",
)  # fmt: skip
_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5}
_ORDINALS = {"first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "last": -1}
_MANY = re.compile(r"\b(those|these|they|them|all of them)\b.*\b(in|at|stock)\b", re.IGNORECASE)
_STOCK = re.compile(
    r"\b(how many (are|do|in|is|left)|in stock|available|in total|online|reserve|where (can|could) i|which (store|shop|branch)\w*|stores?|open|"
    r"have (it|them|one|the|a \d+)|any (left|in))\b",
    re.IGNORECASE,
)
_TALK = re.compile(
    r"\b(thanks?|thank you|bye|cheers|danke|merci|gracias|never ?mind|poem|joke|name|hello|hi)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Screen:
    """What the system prompt tells a remote model."""

    shown: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])  # SKU, name
    focus: dict[str, str] = field(default_factory=dict[str, str])


@dataclass
class PlayedGemini(FakeGemini):
    """The server. ``dialogues``: cases as their file has them."""

    script: Sequence[Step] = ()
    dialogues: Sequence[Mapping[str, Any]] = ()

    def step(self, body: dict[str, Any]) -> Step:
        """The next step for a request."""
        contents = cast(list[dict[str, Any]], body.get("contents") or [])
        results = _results(contents)
        if results:
            return says(" ".join(results))
        texts = [text for content in contents if content.get("role") == "user" for text in _texts(content)]
        turn, earlier = self._turn(texts)
        return play(turn, earlier, _screen(body))

    def _turn(self, texts: Sequence[str]) -> tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]:
        """The turn that these user messages lead up to, and those before it."""
        for dialogue in scripted(self.dialogues):
            turns = cast(list[Mapping[str, Any]], dialogue["turns"])
            said = [str(turn["user"]).strip() for turn in turns]
            for end in range(len(turns), 0, -1):
                if said[:end][-len(texts) :] == list(texts) and (end == len(texts) or len(texts) >= 6):
                    return turns[end - 1], turns[: end - 1]
        raise AssertionError(f"no dialogue has these messages: {texts}")


@cache
def _script() -> dict[str, dict[int, Any]]:
    return cast("dict[str, dict[int, Any]]", yaml.safe_load(SCRIPT.read_text(encoding="utf-8")))


def scripted(dialogues: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Dialogues with the script's function calls put in."""
    found: list[dict[str, Any]] = []
    for dialogue in dialogues:
        calls_of = _script().get(str(dialogue["id"]), {})
        turns = [
            {**turn, "gemini": calls_of[number]} if number in calls_of else dict(turn)
            for number, turn in enumerate(dialogue["turns"], start=1)
        ]
        found.append({**dialogue, "turns": turns})
    return found


def play(turn: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]], screen: Screen) -> Step:
    """What a remote model would do at this turn."""
    if "gemini" in turn:
        return calls(*((one["name"], _filled(one["args"], screen)) for one in turn["gemini"]))
    expect = cast(Mapping[str, Any], turn.get("expect") or {})
    text = str(turn["user"])
    wants = _kind(text, expect, screen)
    wished = any("recommend" in _kind(str(one["user"]), one.get("expect") or {}, screen) for one in earlier)
    made: list[tuple[str, dict[str, Any]]] = []
    if "recommend" in wants:
        made.append(("recommend", {"query": text, "count": _count(text), "refines_last": wished}))
    if "check_inventory" in wants and made:
        made.append(("check_inventory", {"question": text, "of_recommendation": True, **_place(text, screen)}))
    elif "check_inventory" in wants:
        made += [("check_inventory", _question(text, sku, screen)) for sku in _skus(text, screen)]
    elif "product_details" in wants:
        skus = [sku for sku in _skus(text, screen) if sku] or [sku for sku, _ in screen.shown]
        made.append(("product_details", {"question": text, "skus": [] if _names_product(text, screen) else skus[:6]}))
    return calls(*made) if made else says(_answer(expect))


def _kind(text: str, expect: Mapping[str, Any], screen: Screen) -> set[str]:
    """The tools that a turn calls for."""
    route = expect.get("route")
    routes = {route} if isinstance(route, str) else set(cast(Sequence[str], route or ()))
    if routes:
        tools = {"recommendation": {"recommend"}, "inventory": {"check_inventory"}, "supervisor": set[str]()}
        return set().union(*(tools.get(one, {"recommend", "check_inventory"}) for one in routes))
    words = [str(word) for group in _listed(expect.get("contains")) for word in _listed(group)]
    placed = any(city.casefold() in f"{text} {' '.join(words)}".casefold() for city in CITIES)
    stock = {"check_inventory"} if placed else set[str]()
    cards = bool(expect.get("cards") or expect.get("skus_only") or expect.get("skus_first") or expect.get("skus_none"))
    if cards or (expect.get("skus_any") and not expect.get("contains") and not expect.get("numbers")):
        return {"recommend"} | stock
    if expect.get("skus_any"):
        return {"recommend"} | stock
    if placed or _STOCK.search(text) or expect.get("asks"):
        return {"check_inventory"}
    about = bool(screen.focus.get("sku")) or _names_product(text, screen)
    told = bool(words or expect.get("numbers"))
    return {"product_details"} if about and told and not _TALK.search(text) else set()


def _names_product(text: str, screen: Screen) -> bool:
    """Whether a message names a product in full that is not on the screen."""
    named = re.search(r"(?<!^)\b[A-Z][\w'-]+ (?:[A-Z][\w'-]+ ?)+|SKU_\w+", text)
    return named is not None and not any(name.casefold() in text.casefold() for _, name in screen.shown)


def _filled(value: Any, screen: Screen) -> Any:
    """A script's arguments with the SKUs that the model sees."""
    if isinstance(value, dict):
        return {key: _filled(inner, screen) for key, inner in cast(dict[str, Any], value).items()}
    if isinstance(value, list):
        return [_filled(inner, screen) for inner in cast(list[Any], value)]
    if value == "$focus":
        return screen.focus.get("sku", "")
    if value == "$before":
        return screen.focus.get("before", "")
    if isinstance(value, str) and re.fullmatch(r"\$\d", value):
        place = int(value[1]) - 1
        return screen.shown[place][0] if place < len(screen.shown) else ""
    return value


def _listed(value: Any) -> list[Any]:
    return cast(list[Any], value) if isinstance(value, list) else [value] if value else []


def _skus(text: str, screen: Screen) -> list[str | None]:
    """The products on the screen that a question is about."""
    lowered = text.casefold()
    for word, place in _ORDINALS.items():
        if re.search(rf"\b{word}{' one' if word == 'last' else ''}\b", lowered) and screen.shown:
            return [screen.shown[place][0]] if place < len(screen.shown) else [None]
    if _MANY.search(text) and len(screen.shown) > 1:
        return [sku for sku, _ in screen.shown[:3]]
    said = set(re.findall(r"\w+", lowered))
    named = [sku for sku, name in screen.shown if said & _own_words(name, screen)]
    if len(named) == 1:
        return [named[0]]
    if (
        re.search(r"^(so |and )?(which|what's the difference|are both|how much would both)\b", lowered)
        and len(screen.shown) > 1
    ):
        return [None]
    return [screen.focus.get("sku")]


def _own_words(name: str, screen: Screen) -> set[str]:
    words = {one: set(re.findall(r"\w+", one.casefold())) for _, one in screen.shown}
    others = {word for other, found in words.items() if other != name for word in found}
    return {word for word in words[name] - others if len(word) > 3}


def _question(text: str, sku: str | None, screen: Screen) -> dict[str, Any]:
    size = {"size": screen.focus["size"]} if screen.focus.get("size") and not re.search(r"\d|size", text) else {}
    return {"question": text, **({"sku": sku} if sku else {}), **_place(text, screen), **size}


def _place(text: str, screen: Screen) -> dict[str, str]:
    named = any(city.casefold() in text.casefold() for city in CITIES)
    return {"city": screen.focus["city"]} if screen.focus.get("city") and not named else {}


def _count(text: str) -> int:
    match = re.search(r"\bshow me (?:the )?(\d|two|three|four|five)\b", text.casefold())
    return 3 if match is None else int(match[1]) if match[1].isdigit() else _NUMBERS[match[1]]


def _answer(expect: Mapping[str, Any]) -> str:
    """Words for what no tool knows."""
    words = [str(_listed(group)[0]).strip() for group in _listed(expect.get("contains"))]
    about = f" ({', '.join(words)})" if words else ""
    return f"That is something our staff can help with better than I can{about}. Tell me what you are looking for"


def _texts(content: Mapping[str, Any]) -> list[str]:
    return [str(part["text"]).strip() for part in content.get("parts", []) if part.get("text")]


def _results(contents: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the tools answered after the last message of the user."""
    found: list[str] = []
    for content in contents:
        if content.get("role") == "user" and _texts(content):
            found = []
        for part in content.get("parts", []):
            response = (part.get("functionResponse") or {}).get("response") or {}
            text = str(response.get("answer") or response.get("output") or response.get("content") or "")
            if text.startswith("{"):
                text = str(json.loads(text).get("answer", ""))
            if text:
                found.append(text)
    return list(dict.fromkeys(found))


def _screen(body: Mapping[str, Any]) -> Screen:
    system = "\n".join(
        _texts(cast(Mapping[str, Any], body.get("systemInstruction") or body.get("system_instruction") or {}))
    )
    shown = [(sku, name) for name, sku in re.findall(r"^\d+\. (.+) \(([^()\s]+)\), ", system, re.MULTILINE)]
    focus = re.search(r"^The conversation is about: (\{.*\})$", system, re.MULTILINE)
    return Screen(shown, json.loads(focus[1]) if focus else {})


async def main() -> None:
    """Serve until the process is ended."""
    dialogues = yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8"))
    async with PlayedGemini(dialogues=dialogues) as gemini:
        print(gemini.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
