-- Whether the shop counts this product's stock by variant.
SELECT EXISTS (SELECT 1 FROM stock WHERE sku = :sku AND item_id <> '') AS by_variant;
