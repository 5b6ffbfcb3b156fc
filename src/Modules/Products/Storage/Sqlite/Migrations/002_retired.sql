-- Whether Inventory is known to know that a deleted product is no longer sold.
ALTER TABLE products ADD COLUMN is_retired INTEGER NOT NULL DEFAULT 0;
CREATE INDEX products_unretired ON products (id) WHERE deleted_at IS NOT NULL AND is_retired = 0;
