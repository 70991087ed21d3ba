-- Other products of the same category with units in stock (in one store, or in all).
SELECT
    products.sku, products.name, products.price, products.currency, products.colour, products.gender,
    SUM(stock.quantity) AS quantity
FROM products
INNER JOIN stock ON stock.sku = products.sku AND (:store_id IS NULL OR stock.store_id = :store_id)
WHERE products.active = 1 AND products.sku <> :sku AND products.category IS :category
GROUP BY products.sku
HAVING SUM(stock.quantity) > 0;
