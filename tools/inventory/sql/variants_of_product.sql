-- The variants of one product with their units over all stores, or in one store.
SELECT
    variants.item_id, variants.size, variants.colour, variants.price, variants.available,
    SUM(CASE WHEN :store_id IS NULL OR stock.store_id = :store_id THEN stock.quantity END) AS quantity
FROM variants
LEFT JOIN stock ON stock.sku = variants.sku AND stock.item_id = variants.item_id
WHERE variants.sku = :sku
GROUP BY variants.item_id
ORDER BY variants.rowid;
