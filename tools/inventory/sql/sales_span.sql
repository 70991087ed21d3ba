-- The first and last day of the shop's own sales history.
SELECT date(MIN(ts)) AS first_day, date(MAX(ts)) AS last_day
FROM events
WHERE event IN ('purchase', 'return');
