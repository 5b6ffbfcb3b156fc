CREATE TABLE stock (
    product_id   TEXT    NOT NULL PRIMARY KEY,
    on_hand      INTEGER NOT NULL,
    reserved     INTEGER NOT NULL,
    last_updated INTEGER NOT NULL,
    CHECK (reserved >= 0 AND on_hand >= reserved)
) WITHOUT ROWID;

CREATE TABLE movements (
    id         INTEGER PRIMARY KEY,
    product_id TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    quantity   INTEGER NOT NULL CHECK (quantity > 0),
    order_id   TEXT,
    at         INTEGER NOT NULL,
    on_hand    INTEGER NOT NULL,
    reserved   INTEGER NOT NULL
);

CREATE INDEX movements_by_product ON movements (product_id);

-- What orders hold: a row goes when its order is shipped or cancelled.
CREATE TABLE reservations (
    order_id     TEXT    NOT NULL PRIMARY KEY,
    is_confirmed INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX reservations_unconfirmed ON reservations (order_id) WHERE is_confirmed = 0;

CREATE TABLE reservation_lines (
    order_id   TEXT    NOT NULL,
    product_id TEXT    NOT NULL,
    quantity   INTEGER NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (order_id, product_id)
) WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    key         TEXT    NOT NULL PRIMARY KEY,
    fingerprint BLOB    NOT NULL,
    new_level   INTEGER NOT NULL,
    at          INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (at);
