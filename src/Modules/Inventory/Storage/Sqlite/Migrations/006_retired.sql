-- A product that is no longer sold keeps its stock and its movements, but nobody has to look after it.
ALTER TABLE stock ADD COLUMN is_retired INTEGER NOT NULL DEFAULT 0;
