"""The inventory agent: read a stock question, answer it from the database, say what the numbers mean."""

from shopfloor.tools.inventory.agent import InventoryAgent
from shopfloor.tools.inventory.context import InventoryContext
from shopfloor.tools.inventory.fact_cues import asks_about_facts

__all__ = ["InventoryAgent", "InventoryContext", "asks_about_facts"]
