"""Cells: money as people write it, dates, flags, and texts that would like to be more than text."""

import json
import math
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopfloor.store.importer import values


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("8.50", 8.5), ("8,50", 8.5), ("£8.50", 8.5), ("8,50 €", 8.5), ("€ 1.299,00", 1299.0), ("1,299.00", 1299.0),
        ("1,299", 1299.0), ("1 299,50 kr", 1299.5), ("CHF 1'299.50", 1299.5), ("$1,234,567.89", 1234567.89),
        ("1.234.567", 1234567.0), ("0,999", 0.999), ("12", 12.0), ("12.00 USD", 12.0), ("USD12", 12.0), (7, 7.0),
        (7.25, 7.25), ("1.234", 1.234), ("₹499", 499.0), ("₹1,23,456.50", 123456.5), ("1,23,456", 123456.0), ("49,-", 49.0), ("\u00a08,50\u00a0zł ", 8.5), (".5", 0.5),
    ],
)  # fmt: skip
def test_price_as_people_write_it(written: object, amount: float) -> None:
    assert values.price(written) == pytest.approx(amount)


@pytest.mark.parametrize("written", ["", "  ", None, "NaN", "n/a", "-", float("nan"), "null"])
def test_price_missing(written: object) -> None:
    assert values.price(written) is None


@pytest.mark.parametrize(
    "written",
    [
        "-1",
        "(8.50)",
        "£-3",
        "cheap",
        "8.50 each",
        "from 8.50",
        "1,2,3",
        "8..5",
        "1,2.50",
        "inf",
        float("inf"),
        True,
        "1e400",
        "२३",
    ],
)
def test_price_refused(written: object) -> None:
    with pytest.raises(ValueError, match=r"negative|not a number|infinite"):
        values.price(written)


@pytest.mark.parametrize(
    ("written", "code"),
    [("£8.50", "GBP"), ("8,50 €", "EUR"), ("US$ 3", "USD"), ("12 chf", "CHF"), ("1 299 kr", None), ("8.50", None)],
)
def test_currency_of(written: str, code: str | None) -> None:
    assert values.currency_of(written) == code


@settings(deadline=None)
@given(st.decimals(min_value=0, max_value=10**7, places=2, allow_nan=False))
def test_price_survives_every_common_notation(amount: object) -> None:
    plain = f"{amount:.2f}"
    grouped = f"{amount:,.2f}"
    european = grouped.replace(",", " ").replace(".", ",")
    dotted = grouped.translate(str.maketrans(",.", ".,"))
    for written in (plain, grouped, european, dotted, f"£{grouped}", f"{dotted} €"):
        assert values.price(written) == pytest.approx(float(plain)), written


@settings(deadline=None)
@given(st.one_of(st.text(), st.floats(), st.integers(), st.booleans(), st.none(), st.binary()))
def test_no_cell_crashes_a_reader(cell: object) -> None:
    readers = (values.text, values.identifier, values.joined, values.number, values.price, values.signed_price,
               values.whole, values.count, values.flag, values.timestamp, values.options)  # fmt: skip
    for read in readers:
        try:
            value = read(cell)
        except ValueError as error:
            assert str(error), read
            continue
        if isinstance(value, float):
            assert math.isfinite(value)
        if isinstance(value, str):
            value.encode("utf-8")


def test_text_keeps_markup_and_formulas_as_they_are() -> None:
    assert values.text("<script>alert(1)</script>") == "<script>alert(1)</script>"
    assert values.text('=HYPERLINK("http://x")') == '=HYPERLINK("http://x")'


def test_text_drops_what_no_screen_shows() -> None:
    assert values.text(" a\x00b\x07 ") == "ab"
    assert values.text("\ud800x") == "?x"
    assert values.text(" two\nlines ") == "two\nlines"


def test_identifier_from_numbers_and_limits() -> None:
    assert values.identifier(10123.0) == "10123"
    assert values.identifier(10123) == "10123"
    with pytest.raises(ValueError, match="200 characters"):
        values.identifier("x" * 200)
    with pytest.raises(ValueError, match="line break"):
        values.identifier("a\nb")


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2025-03-14", "2025-03-14T00:00:00"),
        ("2025-03-14 09:26:53", "2025-03-14T09:26:53"),
        ("2025-03-14T09:26:53+02:00", "2025-03-14T07:26:53"),
        ("2025-03-14T09:26:53Z", "2025-03-14T09:26:53"),
        ("14.03.2025 09:26", "2025-03-14T09:26:00"),
        ("2025/03/14", "2025-03-14T00:00:00"),
        (date(2025, 3, 14), "2025-03-14T00:00:00"),
        (datetime(2025, 3, 14, 9, tzinfo=timezone(timedelta(hours=-5))), "2025-03-14T14:00:00"),
        (datetime(2025, 3, 14, tzinfo=UTC).timestamp(), "2025-03-14T00:00:00"),
        (datetime(2025, 3, 14, tzinfo=UTC).timestamp() * 1000, "2025-03-14T00:00:00"),
    ],
)
def test_timestamp(written: object, moment: str) -> None:
    assert values.timestamp(written) == moment


@pytest.mark.parametrize("written", ["03/04/2025", "yesterday", "2025-13-01"])
def test_timestamp_refuses_what_it_would_have_to_guess(written: str) -> None:
    with pytest.raises(ValueError, match="write it as"):
        values.timestamp(written)


def test_a_comma_in_a_coordinate_is_a_decimal_sign() -> None:
    assert values.measure("45,764") == 45.764
    assert values.measure("-0.5") == -0.5
    assert values.measure(4) == 4.0


def test_whole_and_count() -> None:
    assert values.whole("-3") == -3
    assert values.count("3.0") == 3
    with pytest.raises(ValueError, match="whole"):
        values.count("2.5")
    with pytest.raises(ValueError, match="negative"):
        values.count(-1)
    with pytest.raises(ValueError, match="too large"):
        values.count(10**30)


def test_flag_and_options() -> None:
    assert (values.flag("Yes"), values.flag(False), values.flag("")) == (1, 0, None)
    with pytest.raises(ValueError, match="neither"):
        values.flag("perhaps")
    assert json.loads(values.options('{"size": "M", "n": 3, "none": null}') or "") == {"size": "M", "n": 3}
    for wrong in ("[1]", "{", "M"):
        with pytest.raises(ValueError, match="JSON object"):
            values.options(wrong)


def test_joined_takes_lists_and_texts() -> None:
    assert values.joined(["S", " M ", "", "S"]) == "S|M"
    assert values.joined("S| M |") == "S|M"
    assert values.joined([]) is None
