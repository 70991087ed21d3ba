"""How varied and how new a list of products is, beside how well it fits: figures that no request is failed by."""

import math
import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

_WORDS = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Variety:
    """What the figures need of a shop's products: words of name and category, buyers' share, stock."""

    words: Mapping[str, frozenset[str]]
    categories: Mapping[str, str]
    bits: Mapping[str, float]
    stock: Mapping[str, int]

    @classmethod
    def load(cls, connection: sqlite3.Connection) -> "Variety":
        """Read every active product. A product's bits are -log2 of its share of all baskets, add-one smoothed."""
        rows = connection.execute("SELECT sku, name, category, baskets FROM products WHERE active = 1").fetchall()
        total = sum(int(row["baskets"]) + 1 for row in rows)
        stock = connection.execute("SELECT sku, sum(quantity) AS units FROM stock GROUP BY sku")
        return cls(
            words={
                str(r["sku"]): frozenset(_WORDS.findall(f"{r['name']} {r['category'] or ''}".lower())) for r in rows
            },
            categories={str(row["sku"]): str(row["category"] or "") for row in rows},
            bits={str(row["sku"]): -math.log2((int(row["baskets"]) + 1) / total) for row in rows},
            stock={str(row["sku"]): int(row["units"]) for row in stock},
        )

    def of(self, skus: Sequence[str]) -> dict[str, float]:
        """``categories`` (how many), ``diversity`` (mean word distance of two of the list, 0 to 1), ``novelty`` (mean bits).

        ``in_stock`` is the share that some store has, where the shop counts stock. NaN where a list is too short.
        """
        known = [sku for sku in skus if sku in self.words]
        nothing = float("nan")
        distances = [_distance(self.words[a], self.words[b]) for a, b in combinations(known, 2)]
        held = [float(self.stock.get(sku, 0) > 0) for sku in known] if self.stock else []
        return {
            "categories": float(len({self.categories[sku] for sku in known})) if known else nothing,
            "diversity": sum(distances) / len(distances) if distances else nothing,
            "novelty": sum(self.bits[sku] for sku in known) / len(known) if known else nothing,
            "in_stock": sum(held) / len(held) if held else nothing,
        }


def _distance(one: frozenset[str], other: frozenset[str]) -> float:
    return 1.0 - len(one & other) / max(1, len(one | other))
