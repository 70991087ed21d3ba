"""Small pieces of what every agent says: prices, and words in a row."""

from collections.abc import Sequence


def money(price: float, currency: str) -> str:
    """A price as the assistant writes it, always with two decimals; the currency may be empty."""
    return f"{price:,.2f} {currency}".rstrip()


def listed(values: Sequence[str], last: str = "or") -> str:
    """Words in a row: a, b or c; empty for none."""
    if len(values) < 2:
        return values[0] if values else ""
    return f"{', '.join(values[:-1])} {last} {values[-1]}"
