-- Every product one store carries, with its units.
SELECT stock.sku, products.name, products.category, SUM(stock.quantity) AS quantity
FROM stock
INNER JOIN products ON products.sku = stock.sku
WHERE stock.store_id = :store_id AND products.active = 1
GROUP BY stock.sku
ORDER BY products.product_no;
