-- 100,000 products and 1,000,000 orders of two lines, as the shop would have written them, into a database that has
-- its tables and the 200 products of the demo data.
INSERT INTO products.products (id, name, description, price_cents, category, version, created_at, updated_at)
SELECT 'prod_' || n, 'Thing ' || n, 'A thing like any other.', 100 * (1 + n % 100), 'Things', 1, 1760000000000, 1760000000000
FROM generate_series(200, 99999) n;
UPDATE products.product_number SET next = 100000;
INSERT INTO inventory.stock (product_id, on_hand, reserved, last_updated)
SELECT 'prod_' || n, 1000000, 0, 1760000000000 FROM generate_series(200, 99999) n;
INSERT INTO inventory.movements (product_id, kind, quantity, at, on_hand, reserved)
SELECT 'prod_' || n, 'received', 1000000, 1760000000000, 1000000, 0 FROM generate_series(200, 99999) n;
INSERT INTO inventory.movements (product_id, kind, quantity, at, on_hand, reserved)
SELECT product_id, 'received', 1000000, 1760000000000, on_hand + 1000000, 0 FROM inventory.stock WHERE on_hand < 1000000;
UPDATE inventory.stock SET on_hand = on_hand + 1000000 WHERE on_hand < 1000000;

CREATE UNLOGGED TABLE line AS
SELECT n, '019a0000-0000-7000-8000-' || lpad(to_hex(n), 12, '0') AS order_id, part,
    'prod_' || (n::bigint * 7919 + part * 50000) % 100000 AS product_id, part + 1 AS quantity
FROM generate_series(1, 1000000) n, generate_series(0, 1) part;
INSERT INTO orders.reservations (order_id, number, has_order) SELECT order_id, n, true FROM line WHERE part = 0;
INSERT INTO orders.orders (id, customer_id, status, total_cents, created_at, updated_at, reservation)
SELECT order_id, 'customer-' || n % 1000, 'created', 3000, 1760000000000 + n, 1760000000000 + n, n FROM line WHERE part = 0 ORDER BY n;
INSERT INTO orders.order_lines (order_id, line, product_id, name, quantity, unit_price_cents)
SELECT order_id, part, product_id, 'Thing', quantity, 1000 FROM line;
INSERT INTO orders.order_counts (status, slot, orders) VALUES ('created', 0, 1000000)
ON CONFLICT (status, slot) DO UPDATE SET orders = order_counts.orders + excluded.orders;
INSERT INTO inventory.reservations (order_id, number, product_ids, quantities, is_confirmed)
SELECT order_id, n, array_agg(product_id ORDER BY part), array_agg(quantity::bigint ORDER BY part), true
FROM line GROUP BY order_id, n;
INSERT INTO inventory.reservation_changes (change) VALUES (1000000);
INSERT INTO inventory.movements (product_id, kind, quantity, order_id, at, on_hand, reserved)
SELECT product_id, 'reserved', quantity, order_id, 1760000000000 + n, on_hand,
    sum(quantity) OVER (PARTITION BY product_id ORDER BY n)
FROM line JOIN inventory.stock USING (product_id) ORDER BY n;
UPDATE inventory.stock SET reserved = held.quantity
FROM (SELECT product_id, sum(quantity) AS quantity FROM line GROUP BY product_id) held
WHERE stock.product_id = held.product_id;
DROP TABLE line;
VACUUM ANALYZE;
CHECKPOINT;
