"""The tables a shop brings: file names, columns, other names under which columns are known, and how cells are read."""

from collections.abc import Callable
from dataclasses import dataclass

from shopfloor.store.importer import values

Value = str | int | float | None
Read = Callable[[object], Value]

NAME_LIMIT = 300
TEXT_LIMIT = 20_000


@dataclass(frozen=True, slots=True)
class Field:
    """One column. ``limit``: a longer text is cut, and reported."""

    name: str
    read: Read = values.text
    required: bool = False
    also: tuple[str, ...] = ()
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of file. ``attributes``: further columns are kept as a JSON object."""

    name: str
    stems: tuple[str, ...]
    fields: tuple[Field, ...]
    attributes: bool = False


_SKU_NAMES = ("product_id", "product_code", "stock_code", "stockcode", "item_code", "product_sku", "article_number")
_CUSTOMER_NAMES = ("user_id", "customer_id", "customer", "client_id", "user")
_MOMENT_NAMES = (
    "ts",
    "ordered_at",
    "order_date",
    "invoice_date",
    "timestamp",
    "date",
    "datetime",
    "created_at",
    "time",
)
_ORDER_NAMES = ("order_id", "invoice", "invoice_no", "order_no", "order_number", "basket")

PRODUCTS = Table(
    "products",
    ("products", "catalog", "catalogue"),
    (
        Field("sku", values.identifier, True, (*_SKU_NAMES, "id", "item_id")),
        Field("name", required=True, also=("product_name", "title", "product", "product_title"), limit=NAME_LIMIT),
        Field("category", also=("product_category", "product_type", "department", "type"), limit=NAME_LIMIT),
        Field("price", values.price, also=("unit_price", "list_price", "retail_price", "price_amount")),
        Field("currency", values.identifier, also=("price_currency", "currency_code")),
        Field("description", also=("product_description", "details", "summary"), limit=TEXT_LIMIT),
        Field("sizes", values.joined, also=("size",), limit=TEXT_LIMIT),
        Field("colour", values.joined, also=("color", "colours", "colors"), limit=NAME_LIMIT),
        Field("gender", also=("target_gender",), limit=NAME_LIMIT),
        Field("brand", also=("vendor", "manufacturer", "brand_name"), limit=NAME_LIMIT),
        Field("active", values.flag, also=("is_active", "enabled")),
    ),
    attributes=True,
)
VARIANTS = Table(
    "variants",
    ("variants",),
    (
        Field("item_id", values.identifier, True, ("variant_id", "variant_sku", "item_sku")),
        Field("sku", values.identifier, True, _SKU_NAMES),
        Field("product", also=("product_name", "name", "title"), limit=NAME_LIMIT),
        Field("options", values.options),
        Field("size", limit=NAME_LIMIT),
        Field("colour", also=("color",), limit=NAME_LIMIT),
        Field("available", values.flag, also=("is_available", "active")),
        Field("price", values.price, also=("unit_price", "list_price")),
    ),
    attributes=True,  # its options, where the file has no column of that name
)
STORES = Table(
    "stores",
    ("stores", "shops", "locations"),
    (
        Field("store_id", values.identifier, True, ("id", "shop_id", "location_id", "store_no")),
        Field("name", required=True, also=("store_name", "shop_name", "location_name"), limit=NAME_LIMIT),
        Field("city", also=("town", "store_city"), limit=NAME_LIMIT),
        Field("country", limit=NAME_LIMIT),
        Field("address", also=("street", "street_address", "physical_address"), limit=NAME_LIMIT),
        Field("latitude", values.measure, also=("lat",)),
        Field("longitude", values.measure, also=("lon", "lng", "long")),
        Field("type", also=("store_type",), limit=NAME_LIMIT),
        Field("state", also=("region", "province"), limit=NAME_LIMIT),
        Field("zip", values.identifier, also=("postcode", "postal_code", "zip_code", "zipcode")),
        Field("hours", also=("opening_hours",), limit=TEXT_LIMIT),
        Field("services", values.joined, limit=TEXT_LIMIT),
    ),
    attributes=True,
)
INVENTORY = Table(
    "inventory",
    ("inventory", "stock"),
    (
        Field("store_id", values.identifier, True, ("shop_id", "location_id")),
        Field("sku", values.identifier, also=_SKU_NAMES),
        Field("item_id", values.identifier, also=("variant_id", "variant_sku", "item_sku")),
        Field("quantity", values.count, True, ("qty", "stock", "on_hand", "units")),
    ),
)
ORDERS = Table(
    "orders",
    ("orders",),
    (
        Field("order_id", values.identifier, True, ("id", *_ORDER_NAMES)),
        Field("ts", values.timestamp, True, _MOMENT_NAMES),
        Field("user_id", values.identifier, also=_CUSTOMER_NAMES),
        Field("store_id", values.identifier, also=("shop_id",)),
        Field("status", also=("order_status", "state"), limit=NAME_LIMIT),
    ),
)
ORDER_ITEMS = Table(
    "order_items",
    ("order_items", "order_lines"),
    (
        Field("order_id", values.identifier, True, _ORDER_NAMES),
        Field("line_no", values.identifier, also=("line", "line_number", "line_item_id")),
        Field("sku", values.identifier, also=_SKU_NAMES),
        Field("item_id", values.identifier, also=("variant_id", "variant_sku", "item_sku")),
        Field("price", values.signed_price, also=("unit_price", "price_paid")),
        Field("quantity", values.whole, also=("qty", "units")),
    ),
)
INTERACTIONS = Table(
    "interactions",
    ("interactions", "interactions_train", "events"),
    (
        Field("ts", values.timestamp, True, _MOMENT_NAMES),
        Field("invoice", values.identifier, also=_ORDER_NAMES),
        Field("user_id", values.identifier, also=_CUSTOMER_NAMES),
        Field("event", also=("event_type", "action", "type"), limit=NAME_LIMIT),
        Field("sku", values.identifier, also=_SKU_NAMES),
        Field("item_id", values.identifier, also=("variant_id", "variant_sku", "item_sku")),
        Field("quantity", values.whole, also=("qty", "units")),
        Field("price", values.signed_price, also=("unit_price", "price_paid")),
        Field("store_id", values.identifier, also=("shop_id",)),
        Field("status", limit=NAME_LIMIT),
    ),
)
RATINGS = Table(
    "review_ratings",
    ("review_ratings", "ratings", "reviews"),
    (
        Field("sku", values.identifier, True, _SKU_NAMES),
        Field("review_no", values.identifier, also=("review_id", "id")),
        Field("rating", values.measure, True, ("stars", "score")),
        Field("user_id", values.identifier, also=_CUSTOMER_NAMES),
    ),
)

TABLES = (STORES, PRODUCTS, VARIANTS, INVENTORY, ORDERS, ORDER_ITEMS, INTERACTIONS, RATINGS)
"""In the order they are imported: what others refer to comes first."""
