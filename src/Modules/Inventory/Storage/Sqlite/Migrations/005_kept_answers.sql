-- A key stands for an answer: here, the stock level after the change.
ALTER TABLE idempotency_keys RENAME COLUMN new_level TO answer;
