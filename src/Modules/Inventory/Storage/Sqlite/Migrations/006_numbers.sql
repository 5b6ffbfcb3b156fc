-- An order's id may be tried again after a failure: the number says which try a reservation is of.
ALTER TABLE reservations ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
