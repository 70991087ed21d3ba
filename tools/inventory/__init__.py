"""The inventory agent: read a stock question, answer it from the database, say what the numbers mean."""

from shopfloor.tools.inventory.agent import InventoryAgent
from shopfloor.tools.inventory.context import InventoryContext

__all__ = ["InventoryAgent", "InventoryContext"]
