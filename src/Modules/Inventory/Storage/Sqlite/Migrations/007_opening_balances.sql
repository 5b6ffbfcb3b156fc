-- What the movements of a product that were deleted because they were old sum up to.
CREATE TABLE opening_balances (
    product_id    TEXT    NOT NULL PRIMARY KEY,
    on_hand       INTEGER NOT NULL,
    reserved      INTEGER NOT NULL,
    last_movement INTEGER NOT NULL,
    at            INTEGER NOT NULL
) WITHOUT ROWID;
