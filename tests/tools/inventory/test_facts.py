"""Questions about products themselves: answered from the shop's data, and honestly where they are silent."""

import pytest

from shopfloor.tools.inventory import InventoryAgent, InventoryContext, asks_about_facts
from shopfloor.tools.inventory.check_text import stray_numbers

SPADES = ("GT-1001", "GT-1002")
POTS = ("GT-2001", "GT-2002")


@pytest.mark.parametrize(
    "text",
    [
        "is that one waterproof?", "what is it made of?", "does it come in green?", "how heavy is it?", "what sizes does it have?",
        "is it suitable for winter?", "how much is it?", "is it cheaper online?", "tell me more about it", "which is the lightest",
        "which of these is the best rated?", "does it have a lid?", "which of them is frost-proof?", "What’s the price of the first one?",
    ],
)  # fmt: skip
def test_questions_about_facts(text: str) -> None:
    assert asks_about_facts(text)


@pytest.mark.parametrize(
    "text",
    [
        "is it in the Berlin store?", "how many in Berlin?", "is it in stock?", "and XL?", "do you have it in Tokyo?", "something cheaper",
        "which store has the most?", "are there any left?", "what about New York?", "when does the shop open?", "is it there in large?",
        "does the harbour branch have it?", "do they have it?", "thanks", "",
    ],
)  # fmt: skip
def test_other_questions(text: str) -> None:
    assert not asks_about_facts(text)


@pytest.mark.parametrize(
    ("question", "sku", "said"),
    [
        ("what is it made of?", "GT-1001", "ash and steel"),
        ("how heavy is it?", "GT-1001", "1900 g"),
        ("how much is the Border Spade?", None, "29.00 EUR"),
        ("is it cheaper online?", "GT-1001", "The price is the same in every store and online."),
        ("is it stainless?", "GT-1002", "Yes"),
        ("is it frost-proof?", "GT-2001", "Yes"),
        ("is it frost-proof?", "GT-2002", "give indoors as the weather of the Glazed Flower Pot, not frost proof"),
        ("does it have a soft grip?", "GT-1001", "“The handle has a soft grip.”"),
        ("does it come in green?", "GT-1001", "Yes"),
        ("does it come in red?", "GT-1001", "No"),
        ("what sizes does it have?", "GT-4001", "S, M and L"),
        ("is it edible?", "GT-1001", "don't say anything about “edible”"),
        ("is there a warranty on it?", "GT-1001", "don't say the warranty"),
        ("who makes it?", "GT-5001", "Rill"),
        ("tell me more about it", "GT-1001", "A spade for deep beds."),
        ("what do people think of it?", "GT-1001", "4.5 on average from 4 ratings"),
    ],
)
async def test_a_fact(agent: InventoryAgent, question: str, sku: str | None, said: str) -> None:
    answer = await agent.answer(question, InventoryContext(sku=sku))
    assert (answer.status, answer.intent) == ("answered", "product_facts")
    assert said in answer.answer
    assert stray_numbers(answer, question) == []


@pytest.mark.parametrize(
    ("question", "shown", "winners"),
    [
        ("which is the lightest?", SPADES, ["GT-1002"]),
        ("which one is cheaper?", SPADES, ["GT-1002"]),
        ("which of these is the best rated?", SPADES, ["GT-1001"]),
        ("which of them is frost-proof?", POTS, ["GT-2001"]),
        ("which one is the brightest?", SPADES, []),
    ],
)
async def test_a_choice(agent: InventoryAgent, question: str, shown: tuple[str, ...], winners: list[str]) -> None:
    answer = await agent.answer(question, InventoryContext(shown=shown))
    assert answer.intent == "product_facts"
    assert answer.structured["skus"] == winners
    assert ("don't say" in answer.answer) is not bool(winners) or "data don't say" in answer.answer
    assert stray_numbers(answer, question) == []


async def test_the_second_one_and_one_against_another(agent: InventoryAgent) -> None:
    second = await agent.answer("how much is the second one?", InventoryContext(shown=SPADES))
    assert second.product is not None and second.product.sku == "GT-1002"
    heavier = await agent.answer("is it heavier than the second one?", InventoryContext(sku="GT-1001", shown=SPADES))
    assert heavier.structured["skus"] == ["GT-1001"]
    unclear = await agent.answer("how much is it?", InventoryContext(shown=SPADES))
    assert unclear.status == "ask" and "Border Spade" in unclear.options
