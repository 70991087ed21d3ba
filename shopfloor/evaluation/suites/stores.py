"""``shopfloor eval stores``: questions about the stores themselves (nearest, services, hours), compared with gold."""

from shopfloor.evaluation.suites.inventory import InventorySuite


class StoresSuite(InventorySuite):
    """The inventory suite over a shop whose stores are asked about; the case fields are the same."""

    name = "stores"
    shop = "required"


def make_suite() -> StoresSuite:
    """The suite, for the registry."""
    return StoresSuite()
