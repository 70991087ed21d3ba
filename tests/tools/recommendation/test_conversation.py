"""Requests over several turns, several wishes in one, superlatives and comparisons, over the demo shop."""

import pytest

from shopfloor.tools.recommendation import refines_previous
from shopfloor.tools.recommendation.agent import RecommendationAgent
from shopfloor.tools.recommendation.degrees import read_comparative, read_superlative
from shopfloor.tools.recommendation.parsing import parse
from shopfloor.tools.recommendation.query import ParsedRequest, Recommendation, RecommendQuery
from shopfloor.tools.recommendation.snapshot import Snapshot
from shopfloor.tools.recommendation.vocabulary import Vocabulary
from shopfloor.tools.recommendation.wording import is_plural


async def talk(agent: RecommendationAgent, *texts: str) -> list[Recommendation]:
    """Ask one after another, each going on from the one before."""
    out: list[Recommendation] = []
    previous: ParsedRequest | None = None
    shown: tuple[str, ...] = ()
    for text in texts:
        out.append(await agent.recommend(RecommendQuery(text=text, previous=previous, shown=shown)))
        previous, shown = out[-1].parsed, tuple(item.sku for item in out[-1].items)
    return out


def names(answer: Recommendation) -> list[str]:
    return [item.name for item in answer.items]


async def test_cheaper_starts_from_what_was_kept(agent: RecommendationAgent) -> None:
    first, cheaper, nothing = await talk(
        agent, "I need a warm blue jacket under 150", "something cheaper", "something cheaper"
    )
    assert "attribute" in first.parsed.relaxed
    assert "warm" in first.note
    assert max(item.price or 0 for item in cheaper.items) < min(item.price or 0 for item in first.items)
    assert "price" not in cheaper.parsed.relaxed
    assert len(nothing.items) == 1
    assert nothing.items[0].price == min(item.price or 0 for item in cheaper.items)
    assert "nothing cheaper" in nothing.note
    assert nothing.items[0].name in nothing.note


async def test_a_said_colour_wins_over_an_implied_price(agent: RecommendationAgent) -> None:
    _, cheaper, brown = await talk(agent, "boots in 42", "cheaper", "what about in brown")
    assert cheaper.parsed.price_firm
    assert all("brown" in (item.colour or "") for item in brown.items)
    assert brown.parsed.relaxed == ("implied_price",) or brown.parsed.relaxed == ()


async def test_two_wishes_take_turns(agent: RecommendationAgent) -> None:
    (answer,) = await talk(agent, "a tent for two and a warm sleeping bag")
    assert [item.category for item in answer.items][:2] == ["Tents", "Sleeping bags"]
    assert [item.position for item in answer.items] == list(range(1, len(answer.items) + 1))
    assert "For the tent" in answer.answer
    assert "For the sleeping bag" in answer.answer
    (kids,) = await talk(agent, "a hat and gloves for my son")
    assert names(kids)[:2] == ["Burrow Kids Beanie", "Snowdrift Kids Mittens"]


@pytest.mark.parametrize("text", ["a black and white shirt", "a tent for hiking and camping", "jeans or trousers"])
async def test_one_wish_stays_one(agent: RecommendationAgent, text: str) -> None:
    (answer,) = await talk(agent, text)
    assert "For the" not in answer.answer


@pytest.mark.parametrize(
    ("text", "narrows"),
    [
        ("only in red", True),
        ("no, for women", True),
        ("in M?", True),
        ("not tights", True),
        ("under 50", True),
        ("the cheapest?", True),
        ("the warmest you have", True),
        ("I need a tent", False),
        ("what is the weather like", False),
        ("hello", False),
    ],
)
def test_what_only_narrows(text: str, narrows: bool, facets: tuple[Snapshot, Vocabulary]) -> None:
    assert refines_previous(parse(text, *facets)) is narrows


async def test_constraints_alone_keep_the_kind(agent: RecommendationAgent) -> None:
    *_, last = await talk(agent, "casual shoes that aren't leather", "white ones")
    assert last.parsed.categories == ("shoes",)
    assert last.parsed.not_attributes == (("material", "leather"),)
    *_, women = await talk(agent, "a winter jacket without down", "for women")
    assert women.parsed.occasion == "winter"
    assert "Arkona Winter Parka Women" in names(women)
    *_, socks = await talk(agent, "wool socks", "for sleeping in a cold tent")
    assert {item.category for item in socks.items} == {"Socks"}
    *_, fresh = await talk(agent, "a tent for two", "and something to cook in?")
    assert names(fresh)[0] == "Ember Cook Set for Two"


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (("warm socks", "the warmest you have"), "Polar Wool Socks"),
        (("warm socks", "the cheapest?"), "Polar Wool Socks"),
        (("the lightest tent",), "Bivy Tarp 3 x 3"),
        (("the brightest headlamp",), "Ember Headlamp 450 Rechargeable"),
        (("a bag", "the biggest"), "Cairn Trekking Pack 60 L"),
        (("a tent", "bigger"), "Hearthside Family Tent"),
        (("a hat for the beach",), "Shoreline Sun Hat"),
        (("what trousers match the Exchange Suit Jacket?",), "Exchange Suit Trousers"),
    ],
)
async def test_the_most_of_a_quality(agent: RecommendationAgent, texts: tuple[str, ...], first: str) -> None:
    *_, last = await talk(agent, *texts)
    assert names(last)[0] == first


async def test_nothing_warmer_is_said(agent: RecommendationAgent) -> None:
    *_, last = await talk(agent, "socks", "something warmer")
    assert last.note == "Nothing I have of that kind is warmer than Polar Wool Socks."


async def test_a_long_message_asks_in_its_last_sentence(agent: RecommendationAgent) -> None:
    (answer,) = await talk(
        agent,
        "Hi! My husband and I are going trekking in September, about 5 degrees at night. We have a tent. "
        "Which sleeping bags would you suggest",
    )
    assert answer.parsed.categories == ("sleeping bags",)
    assert answer.parsed.gender is None
    assert answer.parsed.price_max is None


async def test_not_that_one(agent: RecommendationAgent) -> None:
    first, other = await talk(agent, "a blue summer dress", "not that one")
    assert not set(names(first)) & set(names(other))
    assert other.note


async def test_running_shoes_are_for_running(agent: RecommendationAgent) -> None:
    (answer,) = await talk(agent, "running shoes for men")
    assert answer.items
    assert all("Running" in item.name for item in answer.items)


@pytest.mark.parametrize(
    ("text", "superlative", "comparative"),
    [
        ("the warmest", "warm", None),
        ("something warmer", None, "warm"),
        ("the most compact one", "small", None),
        ("more compact", None, "small"),
        ("the cheapest", None, None),
        ("a forest green vest, the best one for my sister", None, None),
        ("a smaller size", None, None),
    ],
)
def test_degrees(text: str, superlative: str | None, comparative: str | None) -> None:
    assert read_superlative(text) == superlative
    assert read_comparative(text) == comparative


@pytest.mark.parametrize(
    ("name", "plural"),
    [
        ("Croft Wool Gloves", True),
        ("Tempo Road Running Shoes Women", True),
        ("Ember Cook Set for Two", False),
        ("Mini Cake Stand With Hanging Cakes", False),
        ("Set of 6 Mugs", False),
        ("Meadow Linen Dress", False),
    ],
)
def test_plural_names(name: str, plural: bool) -> None:
    assert is_plural(name) is plural


async def test_for_how_many(agent: RecommendationAgent) -> None:
    one, two = await talk(agent, "I want a tent for one person", "my girlfriend is coming too now, so for two")
    assert names(one) == ["Cairn Solo Tent"] and "sleeps 1" in one.answer
    assert names(two) == ["Cairn Duo Tent"]
    (jacket,) = await talk(agent, "a jacket for one person")
    assert not jacket.note, "no jacket says for how many it is"


async def test_a_degree_before_the_thing_orders(agent: RecommendationAgent) -> None:
    big, small = [(await talk(agent, text))[0] for text in ("a big rucksack", "a small rucksack for my wife")]
    assert names(big)[0] == "Cairn Trekking Pack 60 L"
    assert names(small)[0] == "Commuter Backpack 20 L"


async def test_the_same_thing_by_its_other_name_before_the_use_is_given_up(agent: RecommendationAgent) -> None:
    (answer,) = await talk(agent, "leggings for yoga")
    assert names(answer) == ["Tempo Running Tights"]


async def test_one_thing_of_a_broad_wish_keeps_the_person(agent: RecommendationAgent) -> None:
    _, jacket = await talk(agent, "my kid needs rain stuff for nursery, she's 4", "just the jacket")
    assert names(jacket)[0] == "Puddle Kids Rain Jacket"


async def test_what_is_forgotten_is_not_wanted(agent: RecommendationAgent) -> None:
    (answer,) = await talk(agent, "forget tents, we'll take a hotel. a nice evening dress for her")
    assert names(answer) == ["Vesper Evening Dress"]


async def test_what_goes_with_a_product_is_for_the_same_person(agent: RecommendationAgent) -> None:
    skirt = RecommendQuery(text="what shoes to wear with it", focus_sku="SKU_SKT_01")
    answer = await agent.recommend(skirt)
    assert names(answer)[0] == "Arcade Block-Heel Pumps"
    assert answer.parsed.gender == "women"


@pytest.mark.parametrize("text", ["a breathable jacket", "a jacket with a hood that is breathable"])
async def test_a_quality_that_nothing_speaks_of_is_said(agent: RecommendationAgent, text: str) -> None:
    (answer,) = await talk(agent, text)
    assert answer.note == "Nothing here is described as “breathable”, so I went by the rest."
    (waterproof,) = await talk(agent, "a waterproof jacket")
    assert not waterproof.note
