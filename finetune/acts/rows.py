"""Makes the rows from which a message's act in a conversation is learned: templates, and the router's hand-written lines.

Everything is drawn from files of this package by one seed. Rows too near to an evaluation's messages are withheld.
"""

import random
from functools import cache
from importlib.resources import files
from typing import cast

import yaml
from pydantic import BaseModel, ConfigDict

from shopfloor.finetune.routing.noise import chat_style
from shopfloor.finetune.routing.rows import PACKAGE as ROUTING
from shopfloor.finetune.routing.rows import Writer, text_hash
from shopfloor.graph import cues
from shopfloor.graph.acts import ACTS, Act
from shopfloor.graph.lexicon import Lexicon, singular
from shopfloor.graph.prompts import load_words
from shopfloor.graph.replies import load_replies

PACKAGE = "shopfloor.finetune.acts"
SEED = 20261
FILLINGS = 22
"""Rows a template."""


class ActRow(BaseModel):
    """One training row. ``source``: ``line`` (the router's, written by hand) or the act's template number."""

    model_config = ConfigDict(frozen=True)

    text: str
    act: Act
    source: str


def make_rows(seed: int = SEED, fillings: int = FILLINGS) -> list[ActRow]:
    """All rows in a shuffled but fixed order."""
    rng = random.Random(seed)
    content = yaml.safe_load(_text(PACKAGE, "templates.yaml"))
    own = {name: [str(value) for value in values] for name, values in content["slots"].items()}
    writer = Writer(trades=_trades(), words=_words(), own=own)
    rows: dict[str, ActRow] = {}
    for act in ACTS:
        for number, template in enumerate(content["acts"].get(act, ())):
            for _ in range(fillings):
                text = chat_style(writer.write(template.replace("\\,", ","), rng), rng)
                if text:
                    rows.setdefault(text.casefold(), ActRow(text=text, act=act, source=f"{act}/{number}"))
    for row in _lines():
        rows.setdefault(row.text.casefold(), row)
    withheld = frozenset(_text(PACKAGE, "withheld.txt").split())
    kept = [row for row in rows.values() if text_hash(row.text) not in withheld]
    rng.shuffle(kept)
    return kept


@cache
def all_trades() -> Lexicon:
    """The words of all trades as if one shop had them: what marks the rows' words as a shop's lexicon would."""
    nouns: set[str] = set()
    values: dict[str, frozenset[str]] = {}
    sizes: set[str] = set()
    for trade in _trades().values():
        nouns.update(singular(noun.split()[-1]) for noun in trade.get("noun", ()))
        sizes.update(size.removeprefix("size ").casefold() for size in trade.get("size", ()))
        for column in ("adj", "material"):
            for value in trade.get(column, ()):
                values.update((singular(word), frozenset({column})) for word in cues.words(value) if len(word) > 2)
    colours = load_words("colours") | {word for colour in _words()["colour"] for word in cues.words(colour)}
    cities = frozenset(city.casefold() for city in _words()["city"])
    return Lexicon(
        places=cities,
        colours=frozenset(colours - {"and", "off"}),
        sizes=frozenset(sizes),
        product_words=frozenset(noun for noun in nouns if noun.isalpha()),
        values=values,
    )


def _lines() -> list[ActRow]:
    """The router's lines, each with the act that its route and its plainest words speak for."""
    found: list[ActRow] = []
    replies = load_replies()
    for route in ("supervisor", "recommendation", "inventory"):
        for line in _text(ROUTING, f"lines_{route}.txt").splitlines():
            text = line.strip()
            if not text:
                continue
            lowered = cues.normal(text)
            act: Act
            if route == "supervisor":
                kind = replies.kind(text)
                if kind == "out_of_scope" and len(cues.words(text)) < 3:
                    continue  # "menu", "maybe": what they mean is what was said before
                act = "close" if kind in {"thanks", "bye"} else "service"
            elif route == "recommendation":
                act = "refine" if cues.refines(lowered) and cues.is_short(text) else "wish"
            else:
                act = "stock" if cues.asks_stock(lowered) else "store"
                if act == "store" and not any(
                    word in lowered for word in ("open", "clos", "address", "store", "where")
                ):
                    continue
            found.append(ActRow(text=text, act=act, source="line"))
    return found


@cache
def _trades() -> dict[str, dict[str, list[str]]]:
    raw = yaml.safe_load(_text(ROUTING, "trades.yaml"))
    return {
        trade: {slot: [str(value) for value in values] for slot, values in slots.items()}
        for trade, slots in raw.items()
    }


@cache
def _words() -> dict[str, list[str]]:
    raw = cast("dict[str, list[object]]", yaml.safe_load(_text(ROUTING, "words.yaml")))
    return {slot: [str(value) for value in values] for slot, values in raw.items()}


def _text(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")
