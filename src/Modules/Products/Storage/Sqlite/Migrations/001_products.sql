CREATE TABLE products (
    id             TEXT    NOT NULL PRIMARY KEY,
    name           TEXT    NOT NULL,
    description    TEXT    NOT NULL,
    price_cents    INTEGER NOT NULL CHECK (price_cents > 0),
    category       TEXT    NOT NULL,
    version        INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    -- A deleted product keeps its row, so that its id is never given again.
    deleted_at     INTEGER,
    -- The first units, until Inventory is known to have them.
    unopened_stock INTEGER
) WITHOUT ROWID;

CREATE INDEX products_unopened ON products (id) WHERE unopened_stock IS NOT NULL;

-- The next N of prod_N.
CREATE TABLE product_number (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    next INTEGER NOT NULL
);

INSERT INTO product_number (id, next) VALUES (1, 0);
