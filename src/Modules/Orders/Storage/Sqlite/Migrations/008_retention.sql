-- Orders that were deleted because they were old: how many, and the newest number among them, which is not given to another.
CREATE TABLE retention (
    one            INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    orders_deleted INTEGER NOT NULL,
    newest_order   INTEGER NOT NULL
);
INSERT INTO retention (one, orders_deleted, newest_order) VALUES (1, 0, 0);

-- Old orders that a key came to stand for late: they stay until that key is forgotten.
CREATE TABLE kept_orders (
    order_seq INTEGER PRIMARY KEY,
    until     INTEGER NOT NULL
);
