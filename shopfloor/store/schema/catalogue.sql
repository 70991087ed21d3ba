-- A shop's catalogue: written by import alone, read by the agents.
CREATE TABLE meta (
    key TEXT PRIMARY KEY,          -- shop_name, currency, revision (integer, +1 an import), imported_at, ...
    value TEXT NOT NULL
) STRICT;

CREATE TABLE products (
    product_no INTEGER PRIMARY KEY,
    sku TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    category TEXT,
    price REAL,                    -- NULL: the shop gave none; then the variants' prices count
    currency TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    colour TEXT,                   -- as the shop writes it; several joined by '|'
    gender TEXT,
    brand TEXT,
    sizes TEXT NOT NULL DEFAULT '',        -- '|'-separated, in the shop's order
    attributes TEXT NOT NULL DEFAULT '{}', -- JSON object: every further column
    active INTEGER NOT NULL DEFAULT 1,
    rating_mean REAL,              -- derived from ratings, on the shop's own scale
    rating_count INTEGER NOT NULL DEFAULT 0,
    units_sold INTEGER NOT NULL DEFAULT 0, -- derived from orders and interactions, returns taken off
    baskets INTEGER NOT NULL DEFAULT 0     -- derived: orders or invoices it was bought in
) STRICT;
CREATE INDEX products_category ON products (category);
CREATE INDEX products_price ON products (price);
CREATE INDEX products_name ON products (name COLLATE NOCASE);

CREATE TABLE variants (
    item_id TEXT PRIMARY KEY,
    sku TEXT NOT NULL REFERENCES products (sku) ON DELETE CASCADE,
    size TEXT,
    colour TEXT,
    options TEXT NOT NULL DEFAULT '{}',    -- JSON object of every option, size and colour included
    price REAL,                    -- NULL: the product's
    available INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX variants_sku ON variants (sku);

CREATE TABLE stores (
    store_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    city TEXT,                     -- NULL: an online store
    country TEXT,
    address TEXT,
    latitude REAL,
    longitude REAL,
    type TEXT,
    state TEXT,
    zip TEXT,
    hours TEXT,
    services TEXT NOT NULL DEFAULT '',     -- '|'-separated
    attributes TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE INDEX stores_city ON stores (city COLLATE NOCASE);
CREATE INDEX stores_zip ON stores (zip);

-- No row: the store does not carry it. Zero: carried and sold out.
CREATE TABLE stock (
    store_id TEXT NOT NULL REFERENCES stores (store_id) ON DELETE CASCADE,
    sku TEXT NOT NULL REFERENCES products (sku) ON DELETE CASCADE,
    item_id TEXT NOT NULL DEFAULT '',      -- the variant; '' where the shop counts by product
    quantity INTEGER NOT NULL CHECK (quantity >= 0),
    PRIMARY KEY (store_id, sku, item_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX stock_sku ON stock (sku, item_id);

-- One row a purchase line, return or click, whichever file it came from
-- (orders + order_items, or interactions). Cancelled and refunded orders are kept by their status.
CREATE TABLE events (
    event_no INTEGER PRIMARY KEY,
    source_key TEXT NOT NULL UNIQUE,       -- makes a second import an update: file kind, invoice, line
    ts TEXT NOT NULL,                      -- ISO 8601
    basket TEXT NOT NULL,                  -- order or invoice
    user_id TEXT,
    event TEXT NOT NULL,                   -- purchase, return, click, ...
    status TEXT,                           -- the order's own status, e.g. COMPLETE, CANCELLED
    store_id TEXT,
    sku TEXT NOT NULL,
    item_id TEXT,
    quantity INTEGER NOT NULL,             -- negative for returns
    price REAL                             -- paid for one unit
) STRICT;
CREATE INDEX events_user ON events (user_id, ts);
CREATE INDEX events_sku ON events (sku, ts);

CREATE TABLE ratings (
    sku TEXT NOT NULL REFERENCES products (sku) ON DELETE CASCADE,
    review_no TEXT NOT NULL,
    rating REAL NOT NULL,
    user_id TEXT,
    PRIMARY KEY (sku, review_no)
) STRICT, WITHOUT ROWID;

-- Derived at import: the strongest co-purchase neighbours of each product (cosine of basket co-occurrence).
CREATE TABLE co_purchase (
    sku TEXT NOT NULL,
    other TEXT NOT NULL,
    weight REAL NOT NULL,
    PRIMARY KEY (sku, other)
) STRICT, WITHOUT ROWID;

CREATE VIEW product_text AS
SELECT
    product_no,
    name,
    coalesce(category, '') AS category,
    coalesce(colour, '') || ' ' || coalesce(gender, '') || ' ' || coalesce(brand, '') AS tags,
    description,
    attributes
FROM products
WHERE active = 1;

CREATE VIRTUAL TABLE product_fts USING fts5 (
    name, category, tags, description, attributes,
    content = 'product_text', content_rowid = 'product_no',
    tokenize = 'porter unicode61 remove_diacritics 2'
);
