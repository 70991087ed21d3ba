-- Attributes of products that use a word there: which attribute such a word belongs to in this shop.
SELECT products.attributes, products.category
FROM product_fts
JOIN products ON products.product_no = product_fts.rowid
WHERE product_fts MATCH :query
LIMIT 40;
