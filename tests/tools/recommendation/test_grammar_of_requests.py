"""Numbers in words, measures, prices, denials and tones: read by grammar, over any shop's words."""

from itertools import product

import pytest

from shopfloor.tools.recommendation.agent import RecommendationAgent
from shopfloor.tools.recommendation.ages import read_age
from shopfloor.tools.recommendation.amounts import in_figures
from shopfloor.tools.recommendation.language import KINDS, SAME
from shopfloor.tools.recommendation.measures import Measure, labels_within, read_measures
from shopfloor.tools.recommendation.parsing import parse
from shopfloor.tools.recommendation.prices import read_prices
from shopfloor.tools.recommendation.qualities import in_plain_words
from shopfloor.tools.recommendation.query import ParsedRequest, RecommendQuery
from shopfloor.tools.recommendation.snapshot import Snapshot
from shopfloor.tools.recommendation.text import stem
from shopfloor.tools.recommendation.thesaurus import THINGS
from shopfloor.tools.recommendation.tones import read_tones
from shopfloor.tools.recommendation.vocabulary import Vocabulary

Facets = tuple[Snapshot, Vocabulary]


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("half a kilo", "0.5 kilo"),
        ("half litre bottle", "0.5 litre bottle"),
        ("a quarter of a litre", "0.25 litre"),
        ("two and a half litres", "2.5 litres"),
        ("three-quarter litre", "0.75 litre"),
        ("up to a hundred and sixty", "up to 160"),
        ("two hundred and fifty", "250"),
        ("between twenty and thirty pounds", "between 20 and 30 pounds"),
        ("four to five pounds", "4 to 5 pounds"),
        ("minus five degrees", "-5 degrees"),
        ("size forty", "size 40"),
        ("thirty-five lumens", "35 lumens"),
        ("max two fifty", "max 250"),
        ("two pans for five people", "two pans for five people"),
        ("set of two three mugs", "set of two three mugs"),
    ],
)
def test_numbers_in_words(text: str, figures: str) -> None:
    assert in_figures(text) == figures


def test_where_things_cost_little_two_fifty_is_no_hundreds() -> None:
    assert in_figures("max two fifty", small_prices=lambda: True) == "max 2.50"


UP = ("over", "above", "more than", "dearer than", "pricier than", "more expensive than")
DOWN = ("under", "below", "less than", "cheaper than", "less expensive than")


@pytest.mark.parametrize("words", UP)
def test_a_denied_comparison_of_prices_turns_round(words: str) -> None:
    assert (read_prices(f"a lamp {words} 40").low, read_prices(f"a lamp {words} 40").high) == (40.0, None)
    for denial in ("not", "nothing", "no"):
        bounds = read_prices(f"a lamp, {denial} {words} 40")
        assert (bounds.low, bounds.high) == (None, 40.0), f"{denial} {words}"


@pytest.mark.parametrize("words", DOWN)
def test_prices_that_are_less(words: str) -> None:
    bounds = read_prices(f"a lamp {words} 40")
    assert (bounds.low, bounds.high) == (None, 40.0)


@pytest.mark.parametrize(("words", "unit"), list(product(("more than", "over", "heavier than"), ("g", "grams"))))
def test_measures_and_their_denial(words: str, unit: str) -> None:
    assert read_measures(f"a mug {words} 300 {unit}", {})[0] == (Measure("weight", 300.0, None),)
    assert read_measures(f"a mug that does not weigh {words} 300 {unit}", {})[0] == (Measure("weight", None, 300.0),)


@pytest.mark.parametrize(
    ("text", "measure"),
    [
        ("a pack between 25 and 50 litres", Measure("volume", 25.0, 50.0)),
        ("a pack, 25-50 l", Measure("volume", 25.0, 50.0)),
        ("something for -5 degrees", Measure("temperature", None, -5.0)),
        ("good to -8", Measure("temperature", None, -8.0)),
    ],
)
def test_spans_and_cold(text: str, measure: Measure) -> None:
    assert read_measures(text, {})[0] == (measure,)


def test_size_labels_of_a_measure() -> None:
    labels = ("85 cm", "95 cm", "105 cm", "xl")
    assert labels_within(Measure("length", 90.0, 100.0), labels) == ("95 cm",)


def test_a_number_after_a_child_may_be_a_size() -> None:
    assert read_age("shoes for a toddler, 27")[0] is None
    assert read_age("a jacket for my nephew, 5")[0] == 5.0
    assert read_age("a dress for my daughter, 20 years")[0] == 20.0


def test_the_thesaurus_is_in_the_form_of_requests() -> None:
    said = {word for names in THINGS.values() for name in names for word in name.split()}
    assert {word for word in (*THINGS, *said) if stem(word) != word} <= {"clothes", "drawers"}
    assert all(names and word not in names for word, names in THINGS.items())
    assert set(THINGS) <= set(KINDS)
    written_apart = {"wrappingpaper", "giftwrap", "piggybank", "photoframe"} & set(SAME)
    assert not written_apart & set(KINDS), "of these all are shown, not those alone that are nearest"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("turtleneck for men", {"head": ("roll", "neck"), "gender": "men"}),
        ("walking sticks", {"head": ("folding", "pole")}),
        ("a frock in scarlet", {"categories": ("dresses",), "colours": ("scarlet",)}),
        ("dress shoes", {"head": ("oxford", "shoe")}),
        ("good evening, a jacket please", {"categories": ("jackets",), "occasion": None}),
        ("a bottle made of steel", {"categories": ("bottles",), "attributes": (("material", "steel"),)}),
        ("a jacket that keeps the wet out", {"attributes": (("weather", "waterproof"),)}),
        ("dress but not the summer cotton one", {"not_attributes": (("material", "cotton"),), "not_terms": ()}),
        ("boots, no more than half a kilo", {"measures": (("weight", None, 500.0),)}),
        ("poles, 110", {"sizes": ("110 cm",)}),
        ("a belt, 90 to 100 cm", {"sizes": ("95 cm",), "measures": ()}),
        ("a tent, sleeps 4", {"attributes": (("sleep", "4"),)}),
        ("a shirt I do not have to iron", {"not_terms": (), "terms": ("shirt", "iron")}),
        ("a christmas present for my sister", {"occasion": "gift", "gender": "women"}),
        ("nothing in dark colours, a jumper", {"not_colours": ("navy", "black", "burgundy", "charcoal", "brown")}),
    ],
)  # fmt: skip
def test_what_is_understood(text: str, expected: dict[str, object], facets: Facets) -> None:
    parsed = parse(text, *facets)
    found = {name: getattr(parsed, name) for name in expected}
    if "not_colours" in expected:
        found["not_colours"] = tuple(sorted(parsed.not_colours))
        expected = {"not_colours": tuple(sorted(expected["not_colours"]))}  # type: ignore[arg-type,type-var]
    assert found == expected


def test_tones_need_colours_of_the_shop() -> None:
    assert read_tones("in dark colours", ["navy", "white"]) == (("navy",), (), "               ")
    assert read_tones("in dark colours", ["white"]) == ((), (), "in dark colours")
    assert read_tones("light blue", ["navy", "white"])[0] == ()


def test_what_a_thing_does_is_said_by_its_name() -> None:
    assert in_plain_words("it must keep the rain out") == "it must waterproof"
    assert in_plain_words("keeps tea hot") == "keeps tea hot"


async def _goes_on(agent: RecommendationAgent, first: str, then: str) -> ParsedRequest:
    before = await agent.recommend(RecommendQuery(text=first, count=3))
    shown = tuple(item.sku for item in before.items)
    return await agent.parse(RecommendQuery(text=then, previous=before.parsed, shown=shown, focus_sku=shown[0]))


async def test_what_is_given_up_is_no_longer_asked(agent: RecommendationAgent) -> None:
    parsed = await _goes_on(agent, "red rain jacket size XXL", "without the size then")
    assert parsed.sizes == () and parsed.colours == ("red",)
    parsed = await _goes_on(agent, "rain jacket under 160", "the price doesn't matter")
    assert parsed.price_max is None and parsed.categories == ("jackets",)


@pytest.mark.parametrize(
    "text", ["too dear, what else is there", "a bit pricey. anything for less?", "out of my budget"]
)
async def test_too_dear_asks_for_something_cheaper(agent: RecommendationAgent, text: str) -> None:
    parsed = await _goes_on(agent, "hiking boots for women", text)
    assert parsed.categories == ("boots",) and parsed.price_max is not None
