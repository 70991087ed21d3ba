-- Units of every product over all stores; none where no store carries it.
SELECT products.sku, products.name, products.category, COALESCE(SUM(stock.quantity), 0) AS quantity
FROM products
LEFT JOIN stock ON stock.sku = products.sku
WHERE products.active = 1
GROUP BY products.sku
ORDER BY products.product_no;
