"""shopfloor: a shop assistant that runs on the shop's own hardware and learns from its own feedback, safely.

Use: ``from shopfloor import Assistant, build_graph``. Both load on first use, so importing the package is cheap.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shopfloor.graph.assistant import Assistant
    from shopfloor.graph.builder import build_graph

__all__ = ["Assistant", "__version__", "build_graph"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name == "Assistant":
        from shopfloor.graph.assistant import Assistant

        return Assistant
    if name == "build_graph":
        from shopfloor.graph.builder import build_graph

        return build_graph
    raise AttributeError(f"module 'shopfloor' has no attribute {name!r}")
