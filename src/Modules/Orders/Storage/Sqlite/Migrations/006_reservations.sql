-- The number of the reservation that an order holds, as Inventory knows it.
ALTER TABLE orders ADD COLUMN reservation INTEGER NOT NULL DEFAULT 0;
