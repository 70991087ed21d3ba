"""The hand-written catalogue: products, stores, and the variants that follow from them."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SHOP = Path(__file__).parent


@dataclass(frozen=True)
class Product:
    """One row of products.csv, with the lists taken apart."""

    sku: str
    name: str
    category: str
    price: float
    gender: str
    brand: str
    material: str
    warmth: str
    age_range: str
    sizes: tuple[str, ...]
    colours: tuple[str, ...]
    seasons: tuple[str, ...]
    occasions: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The three letters in the middle of the SKU."""
        return self.sku.split("_")[1]


@dataclass(frozen=True)
class Variant:
    """One size and colour of a product; ``price`` in EUR."""

    item_id: str
    sku: str
    product: str
    size: str
    colour: str
    available: bool
    price: float


@dataclass(frozen=True)
class Store:
    """A shop with a door, or the online shop (no city)."""

    store_id: str
    city: str
    type: str


@dataclass(frozen=True)
class Catalogue:
    """The whole hand-written side of the shop."""

    products: tuple[Product, ...]
    variants: dict[str, tuple[Variant, ...]]
    stores: tuple[Store, ...]

    def variant_rows(self) -> Iterator[tuple[str, ...]]:
        """The rows of variants.csv in order, without the header."""
        for product in self.products:
            for v in self.variants[product.sku]:
                options = json.dumps({"size": v.size, "colour": v.colour}, ensure_ascii=False)
                yield v.item_id, v.sku, v.product, options, str(v.available).lower(), f"{v.price:.2f}"


def load_catalogue(folder: Path = SHOP) -> Catalogue:
    """Read products.csv, stores.csv and source/variant_exceptions.csv below ``folder``.

    Raises:
        ValueError: an exception names a SKU, size or colour that is not there.
    """
    products = tuple(_product(row) for row in _read(folder / "products.csv"))
    stores = tuple(Store(r["store_id"], r["city"], r["type"]) for r in _read(folder / "stores.csv"))
    exceptions = _read(folder / "source" / "variant_exceptions.csv")
    by_sku = {p.sku: p for p in products}
    for row in exceptions:
        product = by_sku.get(row["sku"])
        sizes, colours = (product.sizes, product.colours) if product else ((), ())
        if (
            (row["size"] and row["size"] not in sizes)
            or (row["colour"] and row["colour"] not in colours)
            or not product
        ):
            raise ValueError(f"variant_exceptions.csv: nothing matches {row}")
    variants = {p.sku: tuple(_variants(p, [r for r in exceptions if r["sku"] == p.sku])) for p in products}
    return Catalogue(products, variants, stores)


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _product(row: dict[str, str]) -> Product:
    return Product(
        sku=row["sku"],
        name=row["name"],
        category=row["category"],
        price=float(row["price"]),
        gender=row["gender"],
        brand=row["brand"],
        material=row["material"],
        warmth=row["warmth"],
        age_range=row["age_range"],
        sizes=tuple(row["sizes"].split("|")),
        colours=tuple(row["colour"].split("|")),
        seasons=tuple(row["season"].split("|")),
        occasions=tuple(row["occasion"].split("|")),
    )


def _variants(product: Product, exceptions: list[dict[str, str]]) -> Iterator[Variant]:
    for colour in product.colours:
        for size in product.sizes:
            price, available = product.price, True
            for row in exceptions:
                if row["size"] in ("", size) and row["colour"] in ("", colour):
                    price += float(row["price_difference"])
                    available = available and row["available"] == "true"
            item_id = f"{product.sku}-{_code(colour)}-{_code(size)}"
            yield Variant(item_id, product.sku, product.name, size, colour, available, price)


def _code(text: str) -> str:
    return text.upper().replace(" ", "").replace("/", "")
