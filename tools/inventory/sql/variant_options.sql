-- The options and prices of a product's variants.
SELECT size, colour, options, price
FROM variants
WHERE sku = :sku
ORDER BY rowid;
