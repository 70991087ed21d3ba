"""The catalogue's facets in memory: which products have which colour, size, category, word, price.

Made from the database once a revision of it, and read by many requests at once. It serves to filter and to rank;
what a shopper reads comes from the database again.
"""

import re
import sqlite3
from array import array
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopfloor.tools.recommendation.attributes import age_of, attribute_pairs, attribute_texts, pairs_of
from shopfloor.tools.recommendation.language import EMPTY_WORDS, SHADES, SPELLINGS, SURE_COLOURS, UNITS, gender_of
from shopfloor.tools.recommendation.search_index import SearchIndex, build_index
from shopfloor.tools.recommendation.text import label_stems, stem, stems

Rows = NDArray[np.int32]
_CONJUNCTS = re.compile(r"&|/|,|\band\b")
LONG_THING = 7  # letters of a word that another thing may be the end of
THING_SHARE = 0.3  # a word that ends this share of the names it is in is a thing
FEW_NAMES = 3  # fewer say nothing about how a word is used
PRIOR_RATINGS = 8.0  # ratings that the shop's mean counts for in a product's own mean
_AFTER_DOWN = frozenset(
    {"to", "the", "from", "a", "at", "in", "into", "on", "below", "when", "by"}
)  # no feathers there


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Facets of N products; every array and posting speaks of rows 0 … N-1.

    Attributes:
        revision: of the catalogue this was made from.
        product_no: the database's key of each row.
        price_low, price_high: of what can be bought; NaN where the shop gave none.
        stems: stems of name and category → rows; ``category_stems``: category → its stems.
        combos: (size, colour) of one variant → rows.
        head_share: of a stem, the share of its names that end with it.
        things: long words that end a share of names, a line each: what ends with another thing ("raincoat").
        qualifiers: stems of categories that never name their thing and are values of a column: "cat" of "cat food".
        before_only: stems that never end a name and always stand before the same word, as "fridge" in "fridge magnets".
        varied: rows whose variants carry sizes and colours of their own.
        age_low, age_high: years an attribute about age names ("3-9 years"); NaN where there is none.
        search: BM25 over every word of a product.
        monthly: units sold by calendar month, shape (N, 12); ``by_month``: of all products, shape (12,).
        popular: units sold on a log scale, half of it from the newest 60 days of the history; the best is near 1.
        liked: mean rating drawn to the shop's mean by few ratings, on a scale of the shop's own range, 0 to 1.
        has_stock: the shop counts stock at all.
    """

    revision: str
    currency: str
    sku: tuple[str, ...]
    row_of: Mapping[str, int]
    product_no: NDArray[np.int64]
    category: tuple[str, ...]
    names: tuple[str, ...]
    name_stems: tuple[tuple[str, ...], ...]
    price_low: NDArray[np.float64]
    price_high: NDArray[np.float64]
    units: NDArray[np.float64]
    rating: NDArray[np.float64]
    rating_count: NDArray[np.float64]
    stock: NDArray[np.float64]
    has_stock: bool
    gender: tuple[str | None, ...]
    genders: Mapping[str, Rows]
    categories: Mapping[str, Rows]
    category_stems: Mapping[str, tuple[str, ...]]
    colours: Mapping[str, Rows]
    sizes: Mapping[str, Rows]
    combos: Mapping[tuple[str, str], Rows]
    varied: NDArray[np.bool_]
    brands: Mapping[str, Rows]
    attributes: Mapping[tuple[str, str], Rows]
    stems: Mapping[str, Rows]
    text_stems: Mapping[str, Rows]
    head_share: Mapping[str, float]
    things: str
    before_only: frozenset[str]
    qualifiers: frozenset[str]
    age_low: NDArray[np.float64]
    age_high: NDArray[np.float64]
    monthly: NDArray[np.float32]
    by_month: NDArray[np.float64]
    popular: NDArray[np.float64]
    liked: NDArray[np.float64]
    search: SearchIndex

    def __len__(self) -> int:
        return len(self.sku)

    def mask(self, rows: Iterable[Rows]) -> NDArray[np.bool_]:
        """True where any of the postings has the row."""
        out = np.zeros(len(self), dtype=np.bool_)
        for part in rows:
            out[part] = True
        return out


def colour_words(text: str) -> tuple[str, ...]:
    """The colours a shop's colour field names: "Navy / White" → ("navy", "white"), "Dark Blue" → ("dark blue",)."""
    out: list[str] = []
    for part in text.replace("/", "|").replace(",", "|").replace("&", "|").replace(" and ", "|").split("|"):
        words = [SPELLINGS.get(word, word) for word in label_stems(part)]
        if words:
            out.append(" ".join(words))
    return tuple(dict.fromkeys(out))


def size_labels(text: str) -> tuple[str, ...]:
    """What a size goes by: "S/M" is S, M and S/M."""
    label = size_label(text)
    parts = [part.strip() for part in label.split("/")]
    return (label, *parts) if len(parts) > 1 and all(part.isalpha() and len(part) <= 4 for part in parts) else (label,)


def size_label(text: str) -> str:
    """A size made comparable: " XL " → "xl"."""
    return " ".join(text.casefold().split())


@dataclass(frozen=True, slots=True)
class _Variant:
    size: str | None
    colours: tuple[str, ...]
    price: float | None
    available: bool
    options: tuple[tuple[str, str], ...]


class _Postings:
    """Row lists by key while they are being collected."""

    def __init__(self) -> None:
        self._rows: dict[str, array[int]] = defaultdict(lambda: array("i"))

    def add(self, key: str, row: int) -> None:
        rows = self._rows[key]
        if not rows or rows[-1] != row:
            rows.append(row)

    def done(self) -> dict[str, Rows]:
        return {key: np.asarray(rows, dtype=np.int32) for key, rows in self._rows.items()}


class _Builder:
    def __init__(self, variants: Mapping[str, list[_Variant]], known_colours: frozenset[str]) -> None:
        self._variants = variants
        self._known = known_colours
        self.category, self.gender, self.colour = _Postings(), _Postings(), _Postings()
        self.size, self.brand, self.stem, self.text = _Postings(), _Postings(), _Postings(), _Postings()
        self.combo: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.attribute: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.genders: list[str | None] = []
        self.names: list[tuple[str, ...]] = []
        self.low: list[float] = []
        self.high: list[float] = []
        self.varied: list[bool] = []
        self.ages: list[tuple[float, float]] = []
        self.last: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self.follower: dict[str, str | None] = {}

    def add(self, row: int, product: sqlite3.Row) -> None:
        variants = self._variants.get(str(product["sku"]), [])
        name = tuple(SPELLINGS.get(word, word) for word in stems(str(product["name"])))
        self.names.append(name)
        texts = attribute_texts(str(product["attributes"]))
        pairs = pairs_of(texts)
        self._prices(product["price"], variants)
        self._words(row, name, product, pairs)
        self._people(row, name, product["gender"])
        self._colours_and_sizes(row, name, product, variants)
        if product["brand"]:
            self.brand.add(" ".join(label_stems(str(product["brand"]))), row)
        self.ages.append(age_of(texts))
        for pair in {*pairs, *(pair for variant in variants for pair in variant.options)}:
            self.attribute[pair].append(row)

    def _prices(self, price: float | None, variants: Sequence[_Variant]) -> None:
        """What a variant for sale costs; one that says nothing costs what the product does."""
        told = [price if v.price is None else v.price for v in variants if v.available]
        own = [one for one in told if one is not None]
        if not own:
            own = [price] if price is not None else [v.price for v in variants if v.price is not None]
        self.low.append(min(own, default=float("nan")))
        self.high.append(max(own, default=float("nan")))

    def _words(self, row: int, name: tuple[str, ...], product: sqlite3.Row, pairs: Sequence[tuple[str, str]]) -> None:
        category = str(product["category"] or "")
        if category:
            self.category.add(category.casefold(), row)
        for word in dict.fromkeys((*name, *label_stems(category))):
            self.stem.add(word, row)
        facts = [word for part in _affirmed(pairs) for word in label_stems(part)]
        text = " ".join(str(product[key] or "") for key in ("brand", "colour"))
        said = _not_denied(stems(str(product["description"])))
        for word in dict.fromkeys((*name, *label_stems(category), *label_stems(text), *facts, *said)):
            self.text.add(word, row)
        heads = [word for word in name if word not in SHADES and not word.isdigit()]
        self.seen.update(set(name))
        if heads:
            self.last[heads[-1]] += 1
        for word, after in zip(name, (*name[1:], None), strict=True):
            self.follower[word] = after if self.follower.get(word, after) == after else None

    def _people(self, row: int, name: tuple[str, ...], value: object) -> None:
        text = str(value) if value else ""
        gender = gender_of(text, label_stems(text)) if text else gender_of(" ", _strong(name))
        self.genders.append(gender)
        self.gender.add(gender or "", row)

    def _colours_and_sizes(
        self, row: int, name: tuple[str, ...], product: sqlite3.Row, variants: Sequence[_Variant]
    ) -> None:
        colours = set(colour_words(str(product["colour"] or "")))
        sold = [variant for variant in variants if variant.available] or variants
        colours -= {colour for variant in variants for colour in variant.colours}  # of these only what is sold
        for variant in sold:
            colours.update(variant.colours)
        if not colours:
            colours = {word for word in name if word in self._known}
        for colour in colours:
            self.colour.add(colour, row)
        listed = [part for part in str(product["sizes"] or "").split("|") if part.strip()]
        gone = {v.size for v in variants if v.size} - {v.size for v in sold}
        told = (*(part for part in listed if part not in gone), *(v.size for v in sold if v.size))
        sizes = {label for part in told for label in size_labels(part)}
        for size in sizes:
            self.size.add(size, row)
        self.varied.append(any(v.size and v.colours for v in variants))
        pairs = {(size, c) for v in sold for c in v.colours if v.size for size in size_labels(v.size)}
        for size, colour in pairs:
            self.combo[size, colour].append(row)


def _not_denied(words: Sequence[str]) -> list[str]:
    """Words of a description that are not denied by a "no" or "without" just before them."""
    denials = {"no", "without", "not", "non", "never"}
    told = [word for i, word in enumerate(words) if not denials.intersection(words[max(0, i - 2) : i])]
    return [
        word for i, word in enumerate(told) if word != "down" or i + 1 == len(told) or told[i + 1] not in _AFTER_DOWN
    ]


def _affirmed(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [key if value == "yes" else value for key, value in pairs if value != "no"]


def _strong(name: tuple[str, ...]) -> tuple[str, ...]:
    strong = {"man", "woman", "mens", "womens", "boy", "girl", "kid", "unisex", "lady"}
    return tuple(word for word in name if word in strong)


def load_snapshot(connection: sqlite3.Connection) -> Snapshot:
    """Read the active products. Run it off the event loop."""
    products = connection.execute(
        "SELECT product_no, sku, name, category, price, currency, description, colour, gender, brand, sizes,"
        " attributes, rating_mean, rating_count, units_sold FROM products WHERE active = 1 ORDER BY product_no"
    ).fetchall()
    variants = _load_variants(connection)
    listed = {word for p in products for colour in colour_words(str(p["colour"] or "")) for word in colour.split()}
    listed.update(word for group in variants.values() for v in group for c in v.colours for word in c.split())
    builder = _Builder(variants, frozenset(listed & set(SHADES)) | SURE_COLOURS)
    for row, product in enumerate(products):
        builder.add(row, product)
    stock = {str(r[0]): float(r[1]) for r in connection.execute("SELECT sku, sum(quantity) FROM stock GROUP BY sku")}
    skus = tuple(str(p["sku"]) for p in products)
    categories = builder.category.done()
    units = np.asarray([max(0, p["units_sold"]) for p in products], dtype=np.float64)
    rating = np.asarray([p["rating_mean"] or 0.0 for p in products], dtype=np.float64)
    rated = np.asarray([p["rating_count"] for p in products], dtype=np.float64)
    monthly = _monthly(connection, skus)
    return Snapshot(
        revision=read_revision(connection),
        currency=str(products[0]["currency"]) if products else "",
        sku=skus,
        row_of={sku: row for row, sku in enumerate(skus)},
        product_no=np.asarray([p["product_no"] for p in products], dtype=np.int64),
        category=tuple(str(p["category"] or "").casefold() for p in products),
        names=tuple(str(p["name"]) for p in products),
        name_stems=tuple(builder.names),
        price_low=np.asarray(builder.low, dtype=np.float64),
        price_high=np.asarray(builder.high, dtype=np.float64),
        units=units,
        rating=rating,
        rating_count=rated,
        stock=np.asarray([stock.get(sku, 0.0) for sku in skus], dtype=np.float64),
        has_stock=bool(stock),
        gender=tuple(builder.genders),
        genders=builder.gender.done(),
        categories=categories,
        category_stems={name: label_stems(name) for name in categories},
        colours=builder.colour.done(),
        sizes=builder.size.done(),
        combos={key: np.asarray(rows, dtype=np.int32) for key, rows in builder.combo.items()},
        varied=np.asarray(builder.varied, dtype=np.bool_),
        brands=builder.brand.done(),
        attributes={key: np.asarray(sorted(set(rows)), dtype=np.int32) for key, rows in builder.attribute.items()},
        stems=builder.stem.done(),
        text_stems=builder.text.done(),
        head_share={word: count / builder.seen[word] for word, count in builder.last.items() if builder.seen[word]},
        before_only=frozenset(
            word
            for word, after in builder.follower.items()
            if after
            and after not in UNITS
            and after not in EMPTY_WORDS
            and builder.seen[word] >= FEW_NAMES
            and not builder.last[word]
            and builder.last[after] >= THING_SHARE * builder.seen[after]
        ),
        things="".join(
            f"{word}\n"
            for word, count in builder.last.items()
            if len(word) >= LONG_THING and builder.seen[word] and count >= THING_SHARE * builder.seen[word]
        ),
        qualifiers=_qualifiers(categories, {value for _, value in builder.attribute}),
        age_low=np.asarray([age[0] for age in builder.ages], dtype=np.float64),
        age_high=np.asarray([age[1] for age in builder.ages], dtype=np.float64),
        monthly=monthly,
        by_month=monthly.sum(axis=0).astype(np.float64),
        popular=0.5 * _log_scaled(units) + 0.5 * _log_scaled(_recent(connection, skus)),
        liked=_shrunk(rating, rated),
        search=build_index(connection),
    )


def _qualifiers(categories: Iterable[str], values: Container[str]) -> frozenset[str]:
    """Words before the thing of a category that are also whole values of a column, and end no category."""
    parts = [label_stems(part) for name in categories for part in _CONJUNCTS.split(name)]
    ends = {words[-1] for words in parts if words}
    return frozenset(word for words in parts for word in words[:-1] if word not in ends and word in values)


def _log_scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    logs = np.log1p(values)
    best = logs.max() if len(logs) else 0.0
    return logs / best if best > 0 else logs


def _shrunk(mean: NDArray[np.float64], count: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unrated products get the shop's mean; zeros where nothing is rated."""
    if not count.sum():
        return np.zeros(len(mean), dtype=np.float64)
    centre = float((count * mean).sum() / count.sum())
    shrunk = (count * mean + PRIOR_RATINGS * centre) / (count + PRIOR_RATINGS)
    low, high = float(shrunk.min()), float(shrunk.max())
    return (shrunk - low) / (high - low) if high > low else np.zeros(len(mean), dtype=np.float64)


def _monthly(connection: sqlite3.Connection, skus: Sequence[str]) -> NDArray[np.float32]:
    out = np.zeros((len(skus), 12), dtype=np.float32)
    row_of = {sku: row for row, sku in enumerate(skus)}
    query = (
        "SELECT sku, CAST(substr(ts, 6, 2) AS INTEGER) AS month, sum(quantity) FROM events"
        " WHERE event = 'purchase' AND quantity > 0 GROUP BY sku, month"
    )
    for sku, month, units in connection.execute(query):
        row = row_of.get(str(sku))
        if row is not None and 1 <= month <= 12:
            out[row, month - 1] = units
    return out


def _recent(connection: sqlite3.Connection, skus: Sequence[str]) -> NDArray[np.float64]:
    query = (
        "SELECT sku, sum(quantity) FROM events WHERE event = 'purchase' AND quantity > 0"
        " AND ts >= (SELECT date(max(ts), '-60 days') FROM events) GROUP BY sku"
    )
    units = {str(sku): float(count) for sku, count in connection.execute(query)}
    return np.asarray([units.get(sku, 0.0) for sku in skus], dtype=np.float64)


def read_revision(connection: sqlite3.Connection) -> str:
    """The catalogue's revision; "0" where the importer wrote none."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'revision'").fetchone()
    return str(row[0]) if row else "0"


def _load_variants(connection: sqlite3.Connection) -> dict[str, list[_Variant]]:
    out: dict[str, list[_Variant]] = defaultdict(list)
    for row in connection.execute("SELECT sku, size, colour, options, price, available FROM variants"):
        out[str(row["sku"])].append(
            _Variant(
                size=size_label(str(row["size"])) if row["size"] else None,
                colours=colour_words(str(row["colour"] or "")),
                price=row["price"],
                available=bool(row["available"]),
                options=tuple(pair for pair in attribute_pairs(str(row["options"])) if stem(pair[0]) != "size"),
            )
        )
    return out
