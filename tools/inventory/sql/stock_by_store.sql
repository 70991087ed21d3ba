-- Units of one product in each store that carries it; optionally of one size, colour or variant.
SELECT stock.store_id, SUM(stock.quantity) AS quantity
FROM stock
WHERE
    stock.sku = :sku
    AND (:item_id IS NULL OR stock.item_id = :item_id)
    AND (
        (:size IS NULL AND :colour IS NULL)
        OR stock.item_id IN (
            SELECT variants.item_id
            FROM variants
            WHERE
                variants.sku = :sku
                AND (:size IS NULL OR variants.size = :size COLLATE NOCASE)
                AND (:colour IS NULL OR variants.colour = :colour COLLATE NOCASE)
        )
    )
GROUP BY stock.store_id;
