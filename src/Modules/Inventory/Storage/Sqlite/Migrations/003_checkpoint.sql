-- The rows of stock are written now and then. Movements after this one may not be in them.
CREATE TABLE stock_checkpoint (
    one             INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    newest_movement INTEGER NOT NULL
);
INSERT INTO stock_checkpoint (one, newest_movement) SELECT 1, coalesce(max(id), 0) FROM movements;

-- What an order holds is said by its movements: a reservation names the first and the last of them.
CREATE TABLE held (
    order_id       TEXT    NOT NULL PRIMARY KEY,
    first_movement INTEGER NOT NULL,
    last_movement  INTEGER NOT NULL,
    is_confirmed   INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO held (order_id, first_movement, last_movement, is_confirmed)
SELECT r.order_id,
       max(m.id) + 1 - (SELECT count(*) FROM reservation_lines l WHERE l.order_id = r.order_id),
       max(m.id),
       r.is_confirmed
FROM movements m JOIN reservations r ON r.order_id = m.order_id
WHERE m.kind = 'reserved'
GROUP BY r.order_id, r.is_confirmed;
DROP TABLE reservation_lines;
DROP TABLE reservations;
ALTER TABLE held RENAME TO reservations;
CREATE INDEX reservations_unconfirmed ON reservations (order_id) WHERE is_confirmed = 0;
