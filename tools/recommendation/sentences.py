"""Grounded sentences over the whole list: what all of it has of what was asked, and how the products differ.

A card's reason speaks of its own product; these sentences compare. Every one is put together from the request and from
facts of the database, so whichever is chosen is true.
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shopfloor.tools.recommendation.cards import Facts, weight_of
from shopfloor.tools.recommendation.query import ParsedRequest
from shopfloor.tools.recommendation.snapshot import size_labels
from shopfloor.tools.recommendation.text import stems
from shopfloor.tools.recommendation.wording import (
    MIN_RATINGS,
    MIN_UNITS,
    Told,
    Why,
    around_price,
    attributes_said,
    fact_attribute,
    is_colour,
    is_plural,
    joined,
    money,
)

NAMED = 3  # products that the sentences name
MAX_OPTIONS = 3
TASTE = 0.08

_COUNTS = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_KIN = (
    "mum mom mother dad father wife husband sister brother son daughter nephew niece aunt uncle cousin grandma granny"
    " grandmother grandpa grandad grandfather girlfriend boyfriend partner friend boss colleague neighbour neighbor teacher"
    " kids children parents godson goddaughter grandson granddaughter"
)
_RECIPIENT = re.compile(
    rf"\bfor my (?P<who>(?:best |little |big |older |younger )?(?:{_KIN.replace(' ', '|')}))\b", re.IGNORECASE
)
_LINKS = frozenset({"with", "and", "of", "in", "a", "the"})
_COUNTING = frozenset({"sleeps", "seats", "holds", "fits", "serves"})
_LABEL = re.compile(r"[a-z][a-z &-]{2,24}")


@dataclass(frozen=True, slots=True)
class Clause:
    """What is said of one thing, to follow its name, and what kind of statement it is. ``many``: of several things."""

    kind: str
    one: str
    many: str

    def of(self, name: str) -> str:
        """The form that agrees with a product's name."""
        return self.many if is_plural(name) else self.one


def explanations(chosen: Sequence[Why], parsed: ParsedRequest, reasons: Sequence[str] = ()) -> list[list[str]]:
    """Sentences over the list: for each the ways to say it, the best first. Any choice is true.

    Args:
        chosen: the products in their order.
        parsed: what was asked.
        reasons: what the cards say already, in the same order; it is not said again.
    """
    if not chosen:
        return []
    turn = zlib.crc32(" ".join((parsed.text.casefold(), *(why.facts.sku for why in chosen))).encode())
    if len(chosen) == 1:
        return [_alone(chosen[0], parsed, turn)]
    shared = list(_shared([why.facts for why in chosen], parsed))
    if not any(why.facts.in_stock for why in chosen):
        shared.append(Clause("sold out", "is sold out right now", "are sold out right now"))
    if _RECIPIENT.search(parsed.text) is not None:
        shared = [clause for clause in shared if clause.kind != "for"]
    told = _Told(chosen, parsed, [text.casefold() for text in reasons], turn)
    out = [[_of_all(chosen, shared)]] if shared else []
    return [*out, told.options(opened=bool(shared))]


def the(name: str) -> str:
    """A product's name within a sentence."""
    first = name.partition(" ")[0].casefold()
    return name if first in {"the", "a", "an", "my", "your", "our"} else f"the {name}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _they(name: str) -> str:
    return "they" if is_plural(name) else "it"


# What all of them have ------------------------------------------------------------------------------------------------


def _shared(all_facts: Sequence[Facts], parsed: ParsedRequest) -> Iterator[Clause]:
    """What every product has of what was asked for, as the database says it."""
    yield from _shared_looks(all_facts, parsed)
    people = {"men": "men", "women": "women", "girls": "girls", "boys": "boys", "kids": "kids"}.get(parsed.gender or "")
    if people and all((facts.gender or "").casefold() in {people, people.removesuffix("s")} for facts in all_facts):
        yield Clause("for", f"is for {people}", f"are for {people}")
    brands = {facts.brand for facts in all_facts}
    if len(brands) == 1 and (brand := next(iter(brands))) and " ".join(stems(brand)) in parsed.brands:
        yield Clause("by", f"is by {brand}", f"are by {brand}")
    yield from _shared_price(all_facts, parsed)


def _shared_looks(all_facts: Sequence[Facts], parsed: ParsedRequest) -> Iterator[Clause]:
    for key, value in parsed.attributes[:2]:
        found = {fact_attribute(facts, key, value) for facts in all_facts}
        said = next(iter(found))
        if len(found) == 1 and said is not None and said[-1:].isdigit():
            verb, _, amount = said.partition(" ")
            if verb in _COUNTING:
                yield Clause("holds", said, f"{verb.removesuffix('s')} {amount}")
        elif len(found) == 1 and said is not None:
            made = "made of " if {"material", "fabric"} & set(key.split()) else ""
            yield Clause("be", f"is {made}{said}", f"are {made}{said}")
    wanted = [c for c in parsed.colours if all(any(is_colour(own, c) for own in f.colours) for f in all_facts)]
    if wanted:
        yield Clause("come", f"comes in {joined(wanted)}", f"come in {joined(wanted)}")
    denied = parsed.not_colours
    if denied and all(any(not any(is_colour(own, c) for c in denied) for own in f.colours) for f in all_facts):
        other = "in colours other than " + " or ".join(denied)
        yield Clause("come", f"comes {other}", f"come {other}")
    sizes = [size for size in parsed.sizes if all(_has_size(facts, size) for facts in all_facts)]
    if sizes:
        said = "in size " + " and ".join(size.upper() for size in sizes)
        yield Clause("come", f"comes {said}", f"come {said}")


def _has_size(facts: Facts, size: str) -> bool:
    return any(size in size_labels(own) for own in facts.sizes)


def _shared_price(all_facts: Sequence[Facts], parsed: ParsedRequest) -> Iterator[Clause]:
    prices = [facts.price for facts in all_facts]
    if parsed.price_implied or parsed.price_firm or any(price is None for price in prices):
        return
    known = [price for price in prices if price is not None]
    around = around_price(parsed)
    if around is not None:
        named = money(around, all_facts[0].currency)
        yield Clause("cost", f"costs about the {named} you named", f"cost about the {named} you named")
        return
    high, low, currency = parsed.price_max, parsed.price_min, all_facts[0].currency
    if high is not None and low is not None and low <= min(known) and max(known) <= high:
        text = f"between {money(low, currency)} and {money(high, currency)}"
        yield Clause("cost", f"costs {text}", f"cost {text}")
    elif high is not None and max(known) <= high:
        yield Clause("cost", f"stays within {money(high, currency)}", f"stay within {money(high, currency)}")
    elif low is not None and high is None and low <= min(known):
        yield Clause("cost", f"costs {money(low, currency)} or more", f"cost {money(low, currency)} or more")


def _of_all(chosen: Sequence[Why], shared: Sequence[Clause]) -> str:
    count = len(chosen)
    every = "Both" if count == 2 else f"All {_COUNTS[count]}" if count < len(_COUNTS) else "All of them"
    label = _label(chosen)
    if label.endswith("s") and count < len(_COUNTS):
        every = f"{every} {label}"
        shared = [clause for clause in shared if clause.kind != "for" or clause.many.split()[-1] not in label] or shared
    return f"{every} {_verbs_once([clause.many for clause in shared])}."


def _label(chosen: Sequence[Why]) -> str:
    """The shop's own word for all of them, empty where there is none or it is no plain word."""
    labels = {(why.facts.category or "").casefold() for why in chosen}
    label = next(iter(labels))
    return label if len(labels) == 1 and _LABEL.fullmatch(label) else ""


def _verbs_once(texts: Sequence[str]) -> str:
    """ "come in red", "come in size 42" → "come in red and in size 42"."""
    groups: dict[str, list[str]] = {}
    for text in texts:
        verb, _, rest = text.partition(" ")
        groups.setdefault(verb, []).append(rest)
    return joined([f"{verb} {' and '.join(rests)}" for verb, rests in groups.items()])


# How they differ ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Told:
    """The sentences that tell the products apart."""

    chosen: Sequence[Why]
    parsed: ParsedRequest
    reasons: Sequence[str]
    turn: int

    def options(self, *, opened: bool) -> list[str]:
        """Up to ``MAX_OPTIONS`` ways to compare; they differ in what is said of the first product."""
        lead = next((why for why in self.chosen if why.facts.in_stock), self.chosen[0])
        found = self._clauses(lead)[:MAX_OPTIONS]
        return [self._said(lead, clause, opened=opened) for clause in found or [None]]

    def _said(self, lead: Why, clause: Clause | None, *, opened: bool) -> str:
        used = {clause.kind} if clause is not None else set[str]()
        rest: list[str] = []
        for why in self.chosen[:NAMED]:
            if why is lead:
                continue
            own = next((c for c in self._clauses(why) if c.kind not in used), None) or _plain(why.facts)
            used.add(own.kind)
            rest.append(f"{the(why.facts.name)} {own.of(why.facts.name)}")
        frame, name = self._frame(lead), lead.facts.name
        if opened and not frame and clause is not None:
            parts = [f"{the(name)} {clause.of(name)}", *rest]
            return _capital(joined(parts, last=", and ")) + "."
        return f"{self._first(frame, name, clause)} {_capital(joined(rest, last=', and '))}."

    def _first(self, frame: str, name: str, clause: Clause | None) -> str:
        if clause is None:
            return f"{frame} I'd start with {the(name)}.".strip()
        said = f"{the(name)}: {_they(name)} {clause.of(name)}."
        if frame:
            return f"{frame} I'd start with {said}"
        label = _label(self.chosen)
        if label and stems(label) in [stems(category) for category in self.parsed.categories]:
            if not label.endswith("s"):
                return f"In {label}, I'd start with {said}"
            forms = (
                f"Among the {label}, I'd start with {said}",
                f"Of these {label}, my first pick is {the(name)}, which {clause.of(name)}.",
                f"If I had to choose {label}, I'd take {said}",
            )
            return forms[self.turn % len(forms)]
        forms = (
            f"I'd start with {said}",
            f"My first pick is {the(name)}, which {clause.of(name)}.",
            f"Have a look at {said.replace(':', ' first:', 1)}",
            f"{_capital(the(name))} would be my first choice: {_they(name)} {clause.of(name)}.",
        )
        return forms[self.turn % len(forms)]

    def _frame(self, lead: Why) -> str:
        """What the request was for, where that is known to fit the first product."""
        parsed = self.parsed
        if parsed.quality is not None and "wish" in lead.signals:
            return f"Going by how {parsed.quality} they are,"
        recipient = _RECIPIENT.search(parsed.text)
        if recipient is not None:
            return f"For your {recipient['who'].casefold()},"
        if parsed.like_sku is not None and parsed.like_sku != lead.facts.sku:
            return "As something similar,"
        wanted = {*parsed.terms, *([parsed.occasion] if parsed.occasion else [])}
        for told in attributes_said(lead.facts):
            for value in told.values:
                if told.form == "good for {}" and wanted & set(stems(value)):
                    return f"For {told.phrase([value]).removeprefix('good for ')},"
        return ""

    def _clauses(self, why: Why) -> list[Clause]:
        """What sets a product apart from the others, the most telling first."""
        if not why.facts.in_stock and any(other.facts.in_stock for other in self.chosen):
            return [Clause(f"sold out {why.facts.sku}", "is sold out right now", "are sold out right now")]
        asked, other = self._attribute_clauses(why)
        found = [*self._personal(why), *asked, *self._rated(why), *self._sold(why), *self._cheapest(why)]
        found += [*self._lightest(why), *other]
        first = {"rating": "rated", "price_low": "cheapest", "popular": "sold"}.get(self.parsed.order or "")
        if first is None and (self.parsed.price_max is not None or self.parsed.price_firm):
            first = "cheapest"
        return sorted(found, key=lambda clause: clause.kind != first)

    def _others(self, why: Why) -> list[Facts]:
        return [other.facts for other in self.chosen if other is not why]

    def _personal(self, why: Why) -> Iterator[Clause]:
        if why.bought_before and not self._on_card(why, "bought it before"):
            yield Clause("before", "is one you have bought before", "are ones you have bought before")
        if why.partner and not self._on_card(why, why.partner):
            yield Clause("partner", f"often goes with {the(why.partner)}", f"often go with {the(why.partner)}")
        if why.signals.get("taste", 0.0) > TASTE and not self._on_card(why, "usually buy"):
            tastes = [other.signals.get("taste", 0.0) for other in self.chosen if other is not why]
            if all(taste < why.signals["taste"] for taste in tastes):
                yield Clause("taste", "is closest to what you usually buy", "are closest to what you usually buy")

    def _rated(self, why: Why) -> Iterator[Clause]:
        rated = [f.rating_mean or 0.0 for f in self._others(why) if f.rating_count >= MIN_RATINGS]
        mine = why.facts.rating_mean or 0.0
        if rated and why.facts.rating_count >= MIN_RATINGS and round(mine, 1) > round(max(rated), 1):
            if len(self.chosen) == 2:
                yield Clause("rated", "has the better rating", "have the better rating")
            else:
                yield Clause("rated", "is rated highest", "are rated highest")

    def _sold(self, why: Why) -> Iterator[Clause]:
        others = self._others(why)
        if why.facts.units_sold >= MIN_UNITS and all(why.facts.units_sold > other.units_sold for other in others):
            if len(others) == 1:
                yield Clause("sold", "is the better seller", "are the better sellers")
                return
            among = f"of {self._all()}"
            forms = (
                Clause("sold", f"is the best seller {among}", f"are the best sellers {among}"),
                Clause("sold", f"sells most {among}", f"sell most {among}"),
                Clause("sold", "is the one bought most often", "are the ones bought most often"),
            )
            yield forms[self.turn // 4 % len(forms)]

    def _cheapest(self, why: Why) -> Iterator[Clause]:
        mine, others = why.facts.price, [other.price for other in self._others(why)]
        if mine is not None and all(other is not None and mine < other for other in others):
            word = "less" if len(others) == 1 else "least"
            price = f", at {money(mine, why.facts.currency)}"
            yield Clause("cheapest", f"costs {word}{price}", f"cost {word}{price}")

    def _lightest(self, why: Why) -> Iterator[Clause]:
        mine, others = weight_of(why.facts), [weight_of(other) for other in self._others(why)]
        if mine is not None and all(
            other is not None and other[1] == mine[1] and mine[0] < other[0] for other in others
        ):
            word = "lighter" if len(others) == 1 else "the lightest"
            at = f", at {mine[0]:g} {mine[1]}" if mine[1] else ""
            yield Clause("light", f"is {word}{at}", f"are {word}{at}")

    def _all(self) -> str:
        count = len(self.chosen)
        return f"the {_COUNTS[count]}" if count < len(_COUNTS) else "these"

    def _attribute_clauses(self, why: Why) -> tuple[list[Clause], list[Clause]]:
        """Attributes that neither the card nor the name says: those that were asked about, and the others."""
        wanted = {*self.parsed.terms, *([self.parsed.occasion] if self.parsed.occasion else [])}
        said = {part for _, value in self.parsed.attributes for part in value.split()}
        name = {*stems(why.facts.name), *said}
        asked: list[Clause] = []
        other: list[Clause] = []
        for told in attributes_said(why.facts):
            for value in told.values:
                words = set(stems(value)) - _LINKS
                if any(value in reason for reason in self.reasons) or words <= name:
                    continue
                if words & wanted:
                    asked.append(self._attribute(why, told, value))
                elif len(told.values) == 1 and "," not in value:
                    other.append(self._attribute(why, told, value))
        return asked, other

    def _attribute(self, why: Why, told: Told, value: str) -> Clause:
        """ "is the only one made of wool" where the shop tells it of all of them, else "is made of wool"."""
        phrase = told.phrase([value])
        others = [facts.attributes.get(told.key, "") for facts in self._others(why)]
        near = any((set(stems(value)) & set(stems(text))) - _LINKS for text in others)
        if near or not all(others) or len(others) < 2 or told.form != "made of {}":
            return Clause(f"own {told.form}", f"is {phrase}", f"are {phrase}")
        return Clause(f"only {told.form}", f"is the only one {phrase}", f"are the only ones {phrase}")

    def _on_card(self, why: Why, text: str) -> bool:
        place = next(number for number, other in enumerate(self.chosen) if other is why)
        return place < len(self.reasons) and text.casefold() in self.reasons[place]


def _plain(facts: Facts) -> Clause:
    """What can be said where nothing sets a product apart."""
    if facts.price is None:
        return Clause(f"plain {facts.sku}", "is worth a look too", "are worth a look too")
    price = money(facts.price, facts.currency)
    return Clause(f"plain {facts.sku}", f"costs {price}", f"cost {price}")


def _alone(why: Why, parsed: ParsedRequest, turn: int) -> list[str]:
    """One product: what it has of what was asked, and its price."""
    facts = why.facts
    name = facts.name
    clauses = [clause for clause in _shared([facts], parsed) if clause.kind != "cost"]
    said = [clause.of(name) for clause in clauses]
    gone = (
        "" if facts.in_stock else f" {_capital(_they(name))} {'are' if is_plural(name) else 'is'} sold out right now."
    )
    if facts.price is not None:
        said.append(_price_alone(facts, parsed))
    recipient = _RECIPIENT.search(parsed.text)
    frame = f"For your {recipient['who'].casefold()}, " if recipient is not None else ""
    if not said:
        return [_capital(f"{frame}I'd go for {the(name)}.") + gone]
    words, turned = _verbs_once(said), turn % 2
    forms = (
        f"{frame}I'd go for {the(name)}: {_they(name)} {words}.",
        f"{frame}{the(name)} would be my pick: {_they(name)} {words}.",
    )
    return [_capital(form) + gone for form in (*forms[turned:], *forms[:turned])]


def _price_alone(facts: Facts, parsed: ParsedRequest) -> str:
    price = money(facts.price or 0.0, facts.currency)
    limit = parsed.price_max
    verb = "cost" if is_plural(facts.name) else "costs"
    if limit is None or parsed.price_implied or parsed.price_firm or (facts.price or 0.0) > limit:
        return f"{verb} {price}"
    return f"{verb} {price}, within your {money(limit, facts.currency)}"
