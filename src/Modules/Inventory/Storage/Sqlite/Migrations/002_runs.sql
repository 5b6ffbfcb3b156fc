-- An index cut into runs of 1,024 movements: an insert touches the few pages of the newest run, however many products there are.
DROP INDEX movements_by_product;
CREATE INDEX movements_by_run_and_product ON movements (id / 1024, product_id);
