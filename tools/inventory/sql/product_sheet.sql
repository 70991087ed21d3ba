-- Everything the shop says of one product.
SELECT sku, name, category, price, currency, description, colour, gender, brand, sizes, attributes, rating_mean, rating_count,
       units_sold
FROM products
WHERE sku = :sku;
