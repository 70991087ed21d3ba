-- One product by its SKU.
SELECT sku, name, category, price, currency, colour, gender, brand, sizes
FROM products
WHERE sku = :sku;
