-- Units of every product in every store that carries it (of one product when it is named).
SELECT store_id, sku, SUM(quantity) AS quantity
FROM stock
WHERE :sku IS NULL OR sku = :sku
GROUP BY store_id, sku;
