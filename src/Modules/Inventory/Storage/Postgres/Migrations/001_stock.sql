-- Rows that change all the time: with room on their pages, an update touches no index.
CREATE TABLE stock (
    product_id   text    COLLATE "C" NOT NULL PRIMARY KEY,
    on_hand      bigint  NOT NULL,
    reserved     bigint  NOT NULL,
    last_updated bigint  NOT NULL,
    is_retired   boolean NOT NULL DEFAULT false,
    CHECK (reserved >= 0 AND on_hand >= reserved)
) WITH (fillfactor = 50);

-- The movements of a product are numbered under the lock of its row, so in the order of their commits.
CREATE TABLE movements (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_id text   COLLATE "C" NOT NULL,
    kind       text   NOT NULL,
    quantity   bigint NOT NULL CHECK (quantity > 0),
    order_id   text,
    at         bigint NOT NULL,
    on_hand    bigint NOT NULL,
    reserved   bigint NOT NULL
);

CREATE INDEX movements_by_product ON movements (product_id, id);

-- What orders hold: a row goes when its order is shipped or cancelled.
CREATE TABLE reservations (
    order_id     text        COLLATE "C" NOT NULL PRIMARY KEY,
    number       bigint      NOT NULL,
    product_ids  text[]      NOT NULL,
    quantities   bigint[]    NOT NULL,
    is_confirmed boolean     NOT NULL DEFAULT false,
    reserved_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX reservations_unconfirmed ON reservations (reserved_at) WHERE NOT is_confirmed;

-- How many reservations there are: the sum. A row that all hosts count in would make them wait for each other.
CREATE TABLE reservation_changes (change bigint NOT NULL);

-- Reservations that were released, even if they held nothing: a host that was slow can't make them any more.
CREATE TABLE released_reservations (
    order_id text        COLLATE "C" NOT NULL,
    number   bigint      NOT NULL,
    at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (order_id, number)
);

CREATE INDEX released_reservations_by_age ON released_reservations (at);

-- What the movements of a product that were deleted because they were old sum up to.
CREATE TABLE opening_balances (
    product_id    text   COLLATE "C" NOT NULL PRIMARY KEY,
    on_hand       bigint NOT NULL,
    reserved      bigint NOT NULL,
    last_movement bigint NOT NULL,
    at            bigint NOT NULL
);
