-- Indexes cut into runs of 1,024 orders: an insert touches the few pages of the newest run, however many customers and products there are.
DROP INDEX orders_by_customer;
DROP INDEX order_lines_by_product;
CREATE INDEX orders_by_run_and_customer ON orders (seq / 1024, customer_id);
CREATE INDEX order_lines_by_run_and_product ON order_lines (order_seq / 1024, product_id, order_seq);
