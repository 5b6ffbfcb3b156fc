CREATE TABLE products (
    id            text    NOT NULL COLLATE "C" PRIMARY KEY,
    name          text    NOT NULL,
    description   text    NOT NULL,
    price_cents   bigint  NOT NULL CHECK (price_cents > 0),
    category      text    NOT NULL,
    version       bigint  NOT NULL,
    -- Milliseconds since 1970.
    created_at    bigint  NOT NULL,
    updated_at    bigint  NOT NULL,
    -- A deleted product keeps its row, so that its id is never given again.
    deleted_at    bigint,
    -- The first units, until Inventory is known to have them.
    initial_stock bigint,
    -- Whether Inventory is known to know that a deleted product is no longer sold.
    is_retired    boolean NOT NULL DEFAULT false
);
CREATE INDEX products_unstocked ON products (id) WHERE initial_stock IS NOT NULL;
CREATE INDEX products_unretired ON products (id) WHERE deleted_at IS NOT NULL AND NOT is_retired;

-- The next N of prod_N.
CREATE TABLE product_number (
    id   int    NOT NULL PRIMARY KEY CHECK (id = 1),
    next bigint NOT NULL
);
INSERT INTO product_number (id, next) VALUES (1, 0);

-- What was changed, for the catalogues of all hosts: see PostgresChanges.
CREATE TABLE changes (
    transaction bigint      NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    host        bigint      NOT NULL,
    ids         text[]      NOT NULL,
    at          timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX changes_by_transaction ON changes (transaction);
