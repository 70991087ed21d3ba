"""The variant a request means, over a pump and a lamp that no case file has."""

from itertools import product as every

import pytest

from shopfloor.tools.recommendation.variant_choice import Variant, choose

PUMPS = [
    Variant(
        f"{flow}-{finish}-{noise}",
        {"flow": f"{flow} l", "finish": finish, "noise level": noise},
        20 + flow / 10 + place,
    )
    for place, (flow, finish, noise) in enumerate(every((100, 200, 300), ("green", "black", "bronze"), ("low", "high")))
]
NOW = next(pump for pump in PUMPS if pump.item_id == "200-green-high")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("I want to exchange my pump for a black one.", "200-black-high"),
        ("Exchange the pump for one with more flow, please.", "300-green-high"),
        ("I'd like the pump with the lowest noise level.", "200-green-low"),
        ("My pump is fine, but I want 100 more flow and low noise level.", "300-green-low"),
        (
            "Exchange the pump for the same flow, but I prefer bronze over black, and a low noise level.",
            "200-bronze-low",
        ),
        ("The pump should be (prefer bronze > black > green).", "200-bronze-high"),
        (
            "I received a pump. The noise level is too high and I want low. Also cancel my lamp, the black one.",
            "200-green-low",
        ),
        ("Exchange my lamp for a black one, and my pump for one with less flow.", "100-green-high"),
        ("A pump with the highest flow, without paying more.", "200-green-high"),
    ],
)
def test_what_the_request_means(text: str, wanted: str) -> None:
    assert choose(text, "Garden Pump", NOW, PUMPS) == wanted


def test_the_cheapest_of_those_that_fit() -> None:
    chosen = choose("a black pump, the cheapest", "Garden Pump", None, PUMPS)
    assert (
        chosen
        == min((pump for pump in PUMPS if pump.options["finish"] == "black"), key=lambda pump: pump.price).item_id
    )


def test_no_candidates() -> None:
    assert choose("a pump", "Garden Pump", NOW, []) is None
