-- Name and price of a product as lines of orders show them, once for all lines that show the same. Lines that are here so far keep theirs.
CREATE TABLE product_snapshots (
    number           INTEGER PRIMARY KEY,
    product_id       TEXT    NOT NULL,
    name             TEXT    NOT NULL,
    unit_price_cents INTEGER NOT NULL,
    UNIQUE (product_id, unit_price_cents, name)
);

CREATE TABLE order_items (
    order_seq INTEGER NOT NULL REFERENCES orders (seq) ON DELETE CASCADE,
    line      INTEGER NOT NULL,
    snapshot  INTEGER NOT NULL REFERENCES product_snapshots (number),
    quantity  INTEGER NOT NULL,
    PRIMARY KEY (order_seq, line)
) WITHOUT ROWID;

CREATE VIEW lines_of_orders AS
SELECT order_seq, line, product_id, name, quantity, unit_price_cents FROM order_lines
UNION ALL
SELECT i.order_seq, i.line, s.product_id, s.name, i.quantity, s.unit_price_cents
FROM order_items i CROSS JOIN product_snapshots s ON s.number = i.snapshot;
