CREATE TABLE orders (
    seq         INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    customer_id TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    total_cents INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    -- The content of the request, where the client chose the id: a repeat must be the same.
    fingerprint BLOB
);

CREATE INDEX orders_by_customer ON orders (customer_id);
CREATE INDEX orders_by_status ON orders (status);

CREATE TABLE order_lines (
    order_seq        INTEGER NOT NULL REFERENCES orders (seq),
    line             INTEGER NOT NULL,
    product_id       TEXT    NOT NULL,
    name             TEXT    NOT NULL,
    quantity         INTEGER NOT NULL,
    unit_price_cents INTEGER NOT NULL,
    PRIMARY KEY (order_seq, line)
) WITHOUT ROWID;

CREATE INDEX order_lines_by_product ON order_lines (product_id, order_seq);

CREATE TABLE order_events (
    order_seq INTEGER NOT NULL REFERENCES orders (seq),
    number    INTEGER NOT NULL,
    status    TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (order_seq, number)
) WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    key         TEXT    NOT NULL PRIMARY KEY,
    fingerprint BLOB    NOT NULL,
    order_id    TEXT    NOT NULL,
    at          INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (at);

-- Orders that were shipped or cancelled, until Inventory is known to have followed.
CREATE TABLE pending_stock (
    order_id TEXT NOT NULL PRIMARY KEY,
    status   TEXT NOT NULL
) WITHOUT ROWID;
