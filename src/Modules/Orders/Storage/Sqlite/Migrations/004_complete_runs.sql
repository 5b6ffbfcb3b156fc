-- A run is indexed when it is complete, all of it in one go and in order: until then its 1,024 orders cost no page of an index, and are read one by one.
CREATE TABLE orders_by_customer (
    run         INTEGER NOT NULL,
    customer_id TEXT    NOT NULL,
    order_seq   INTEGER NOT NULL,
    PRIMARY KEY (run, customer_id, order_seq)
) WITHOUT ROWID;

CREATE TABLE orders_by_product (
    run        INTEGER NOT NULL,
    product_id TEXT    NOT NULL,
    order_seq  INTEGER NOT NULL,
    PRIMARY KEY (run, product_id, order_seq)
) WITHOUT ROWID;

INSERT INTO orders_by_customer (run, customer_id, order_seq)
SELECT seq / 1024, customer_id, seq FROM orders WHERE seq < (SELECT max(seq) / 1024 * 1024 FROM orders) ORDER BY 1, 2, 3;
INSERT INTO orders_by_product (run, product_id, order_seq)
SELECT DISTINCT order_seq / 1024, product_id, order_seq FROM order_lines WHERE order_seq < (SELECT max(seq) / 1024 * 1024 FROM orders) ORDER BY 1, 2, 3;

DROP INDEX orders_by_run_and_customer;
DROP INDEX order_lines_by_run_and_product;
