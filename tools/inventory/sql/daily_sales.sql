-- Units sold a day (returns taken off) of one product, or of every product, in one store or in all, since a day.
SELECT
    sku, date(ts) AS day,
    SUM(CASE WHEN event = 'return' THEN -ABS(quantity) ELSE quantity END) AS units
FROM events
WHERE
    event IN ('purchase', 'return')
    AND UPPER(COALESCE(status, '')) NOT IN ('CANCELLED', 'CANCELED', 'REFUNDED')
    AND date(ts) >= :since
    AND (:sku IS NULL OR sku = :sku)
    AND (:store_id IS NULL OR store_id = :store_id)
GROUP BY sku, date(ts);
