-- A key stands for an answer: the order as it was placed, or as a change of its status left it. What is here so far stands for orders as they were placed.
ALTER TABLE idempotency_keys RENAME COLUMN order_id TO answer;
