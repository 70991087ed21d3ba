"""Personal data goes, the shop's own words stay."""

import pytest

from shopfloor.evaluation.scrub import is_card, is_iban, scrub
from shopfloor.finetune.datasets.rows import Unusable
from shopfloor.finetune.datasets.texts import clean


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("mail me at jo.doe+x@example.co.uk please", "mail me at [email] please"),
        ("jo (at) example (dot) com", "[email]"),
        ("see https://example.com/u?id=7 now", "see [link] now"),
        ("iban DE89 3704 0044 0532 0130 00 ok", "iban [account] ok"),
        ("card 4111 1111 1111 1111, thanks", "card [card], thanks"),
        ("call +44 20 7946 0958 or 020 7946 0958", "call [phone] or [phone]"),
        ("order 123456789 is late", "order [number] is late"),
        ("My name is Anna Maria Lopez and i need boots", "My name is [name] and i need boots"),
        ("ich heiße Jürgen, größe 42", "ich heiße [name], größe 42"),
        ("i live at 14 Alte Gerber Street, near you", "i live at [address], near you"),
        ("Hauptstraße 12 in Berlin", "[address] in Berlin"),
        ("12 rue de la Paix à Paris", "[address] à Paris"),
    ],
)
def test_personal_data_is_taken_out(text: str, wanted: str) -> None:
    assert scrub(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "is SKU_JCK_01 under 120 in stock",
        "size 40 42 44 46",
        "a 4 person tent, 2000 mm",
        "a table of 120 x 60 x 75",
        "i am looking for a coat",
        "between 100 and 200 for 2026-11-23",
        "do you have 12 of them at the high street shop",
        "call me when it is back",
    ],
)
def test_other_numbers_and_words_stay(text: str) -> None:
    assert scrub(text) == text


def test_check_digits() -> None:
    assert is_card("4111-1111-1111-1111") and not is_card("4111 1111 1111 1112") and not is_card("0" * 8)
    assert is_iban("GB82 WEST 1234 5698 7654 32") and not is_iban("GB82 WEST 1234 5698 7654 33")


@pytest.mark.parametrize(
    ("text", "reason"), [("x" * 1_001, "too_long"), (" \x00 a ", "too_short"), ("me@example.com 4242", "no_words")]
)
def test_texts_that_teach_nothing(text: str, reason: str) -> None:
    with pytest.raises(Unusable) as found:
        clean(text)
    assert found.value.reason == reason
