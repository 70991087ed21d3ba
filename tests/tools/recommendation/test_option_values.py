"""Reading values of options, comparisons, and whole questions, over products that no case file has."""

import csv
import json
import sqlite3
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from shopfloor.store.importer import import_shop
from shopfloor.tools.recommendation.comparisons import Aim, aims_of, scale_of
from shopfloor.tools.recommendation.option_values import given_values
from shopfloor.tools.recommendation.product_questions import ProductQuestions

CHOICES = {
    "length": ["2 m", "2.5 m", "20 m"],
    "mesh": ["fine", "extra fine", "coarse"],
    "lining": ["cotton", "none"],
    "lid": ["yes", "no"],
    "fit": ["S", "M", "XL"],
}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a 2m net, extra fine", {"length": "2 m", "mesh": "extra fine"}),
        ("the 2.5-metre one with a fine mesh", {"length": "2.5 m", "mesh": "fine"}),
        ("length: 20 m, lid: no", {"length": "20 m", "lid": "no"}),
        ("without a lid and without lining", {"lid": "no", "lining": "none"}),
        ("with lid, cotton lining, in M", {"lid": "yes", "lining": "cotton", "fit": "M"}),
        ("I'm at m 5, any extra large?", {"fit": "XL"}),
        ("nothing of the kind", {}),
    ],
)
def test_values(text: str, wanted: Mapping[str, str]) -> None:
    assert given_values(text, CHOICES).wanted == wanted


def test_denied_and_mentioned_values() -> None:
    given = given_values("not the coarse mesh, any length but 20 m; fine instead of extra fine", CHOICES)
    assert given.denied == {"mesh": frozenset({"coarse", "extra fine"}), "length": frozenset({"20 m"})}
    assert given.mentioned == {"mesh": ("fine",)}
    assert "20" not in given.rest


SCALES = {
    key: scale
    for key, values in {
        "height": ["90 cm", "110 cm"],
        "heat": ["mild", "medium", "hot"],
        "thickness": ["1 mm", "3 mm"],
        "hue": ["red", "blue"],
    }.items()
    if (scale := scale_of(values)) is not None
}


@pytest.mark.parametrize(
    ("text", "aims"),
    [
        ("a taller one", {"height": Aim(True, False)}),
        ("as tall as you make them", {"height": Aim(True, True)}),
        ("the thinnest, and a milder one", {"thickness": Aim(False, True), "heat": Aim(False, False)}),
        ("this is too thin for me", {"thickness": Aim(True, False)}),
        ("more heat please", {"heat": Aim(True, False)}),
        ("the hottest", {"heat": Aim(True, True)}),
        ("another one", {}),
    ],
)
def test_comparisons(text: str, aims: Mapping[str, Aim]) -> None:
    assert set(SCALES) == {"height", "heat", "thickness"}
    assert aims_of(text, SCALES) == aims


CASES = files("shopfloor.evaluation").joinpath("cases", "made_shop")


def made_rows() -> list[dict[str, Any]]:
    with CASES.joinpath("variants.csv").open(encoding="utf-8") as file:
        rows = [dict(row) for row in csv.DictReader(file)]
    return [
        {**row, "options": json.loads(row["options"]), "price": float(row["price"]), "sold": row["available"] == "true"}
        for row in rows
    ]


def gold_of(case: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The answer, computed from the file by what the case says it asks, without the question's words."""
    own = [row for row in rows if row["product"] == case["product"]]
    exact = [row for row in own if row["options"] == case["filters"]]
    if case["intent"] == "difference":
        other = next(row for row in own if row["options"] == case["other"])
        gap = round(abs(exact[0]["price"] - other["price"]), 2)
        return {"item_ids": [exact[0]["item_id"], other["item_id"]], "difference": gap}
    if case["intent"] == "available":
        return {"item_id": exact[0]["item_id"], "available": exact[0]["sold"]}
    if case["intent"] == "price":
        return {"item_id": exact[0]["item_id"], "price": exact[0]["price"]}
    fit = [r for r in own if r["sold"] and all(r["options"].get(k) == v for k, v in case["filters"].items())]
    if case["intent"] == "count":
        return {"count": len(fit)}
    if case["intent"] == "values":
        return {"values": sorted({row["options"][case["key"]] for row in fit})}
    if case["intent"] in {"cheapest", "dearest"}:
        price = (min if case["intent"] == "cheapest" else max)(row["price"] for row in fit)
        return {"item_ids": [row["item_id"] for row in fit if row["price"] == price], "price": price}
    return {"item_ids": sorted(row["item_id"] for row in fit if row["price"] <= case.get("limit", float("inf")))}


@pytest.mark.parametrize("part", ["open", "sealed"])
def test_gold_of_the_made_shop_is_what_its_file_says(part: str) -> None:
    rows = made_rows()
    lines = CASES.joinpath(f"product_qa_{part}.jsonl").read_text(encoding="utf-8").splitlines()
    cases = [json.loads(line) for line in lines]
    assert len(cases) >= 50
    for case in cases:
        assert case["gold"] == gold_of(case, rows), case["question"]


@pytest.mark.parametrize("part", ["open", "sealed"])
def test_gold_variants_are_the_only_ones_that_fit(part: str) -> None:
    lines = CASES.joinpath(f"variants_{part}.jsonl").read_text(encoding="utf-8").splitlines()
    for case in map(json.loads, lines):
        fit = []
        for candidate in case["candidates"]:
            keeps = [
                candidate["options"][key] not in want["not"]
                if isinstance(want, dict)
                else candidate["options"][key] == want
                for key, want in case["want"].items()
            ]
            if all(keeps):
                fit.append(candidate)
        best = sorted(fit, key=lambda one: one["price"], reverse=case.get("pick") == "dearest")
        assert best[0]["item_id"] == case["gold"], case["text"]
        assert case.get("pick") or len(fit) == 1


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> ProductQuestions:
    folder = tmp_path_factory.mktemp("nets")
    rows = [
        ("n1", "2 m", "fine", "true", "8.00"),
        ("n2", "2 m", "coarse", "true", "6.50"),
        ("n3", "20 m", "fine", "false", "30.00"),
        ("n4", "20 m", "coarse", "true", "25.00"),
    ]
    with (folder / "variants.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["item_id", "product_id", "product", "options", "available", "price"])
        for item, length, mesh, available, price in rows:
            options = json.dumps({"length": length, "mesh": mesh})
            writer.writerow([item, "P1", "Pond Net", options, available, price])
    target: Path = folder / "shop.db"
    import_shop(folder, target)
    connection = sqlite3.connect(target)
    connection.row_factory = sqlite3.Row
    try:
        return ProductQuestions(connection)
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How many pond nets with a coarse mesh do you have?", {"count": 2}),
        ("what lengths do pond nets come in?", {"values": ["2 m", "20 m"]}),
        ("which meshes are there for the 20m pond net", {"values": ["coarse"]}),
        ("cheapest pond net of 2 m", {"item_ids": ["n2"], "price": 6.5}),
        ("is the pond net 20 m fine available", {"item_id": "n3", "available": False}),
        ("what would the 20 m coarse net cost me", {"item_id": "n4", "price": 25.0}),
        ("pond nets for 10 or less", {"item_ids": ["n1", "n2"]}),
        (
            "how much more is the 20 m coarse pond net than the 2 m coarse one",
            {"item_ids": ["n4", "n2"], "difference": 18.5},
        ),
        ("a kettle under 5", {}),
    ],
)
def test_questions(questions: ProductQuestions, question: str, answer: Mapping[str, object]) -> None:
    assert questions.answer(question) == answer
