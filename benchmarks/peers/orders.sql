-- The tables of the peers that take orders, with as many products as the load asks for.
CREATE TABLE products (id text PRIMARY KEY, name text NOT NULL, price_cents bigint NOT NULL, stock bigint NOT NULL CHECK (stock >= 0));
CREATE TABLE orders (
    id uuid PRIMARY KEY,
    customer_id text NOT NULL,
    status text NOT NULL,
    total_cents bigint NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX orders_by_customer ON orders (customer_id);
CREATE TABLE order_lines (
    order_id uuid NOT NULL REFERENCES orders,
    line int NOT NULL,
    product_id text NOT NULL REFERENCES products,
    name text NOT NULL,
    quantity bigint NOT NULL,
    unit_price_cents bigint NOT NULL,
    PRIMARY KEY (order_id, line)
);
INSERT INTO products SELECT 'prod_' || n, 'Thing ' || n, 100 * (1 + n), 1000000 FROM generate_series(0, 199) n;
