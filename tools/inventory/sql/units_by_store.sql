-- All units of each store.
SELECT stores.store_id, COALESCE(SUM(stock.quantity), 0) AS quantity
FROM stores
LEFT JOIN stock ON stock.store_id = stores.store_id
GROUP BY stores.store_id;
