"""What a conversation already says when a stock question arrives."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InventoryContext:
    """Fills what a question leaves open: "do you have it in Tokyo?", "the second one".

    Attributes:
        sku: the product in focus.
        shown: SKUs on the shopper's screen, in order.
        store_id: the store in focus; wins over ``city``.
        city: the city in focus, as anybody wrote it.
        size: the size in focus.
        quantity: units wanted.
        latitude: where the shopper is, in degrees, with ``longitude``.
        longitude: see ``latitude``.
        user_id: who asks.
    """

    sku: str | None = None
    shown: tuple[str, ...] = ()
    store_id: str | None = None
    city: str | None = None
    size: str | None = None
    quantity: int | None = None
    latitude: float | None = None
    longitude: float | None = None
    user_id: str | None = None
