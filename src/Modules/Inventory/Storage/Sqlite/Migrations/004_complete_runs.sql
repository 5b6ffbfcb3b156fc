-- A run is indexed when it is complete, all of it in one go and in order: until then its 1,024 movements cost no page of an index, and are read one by one.
CREATE TABLE movements_by_product (
    run         INTEGER NOT NULL,
    product_id  TEXT    NOT NULL,
    movement_id INTEGER NOT NULL,
    PRIMARY KEY (run, product_id, movement_id)
) WITHOUT ROWID;

INSERT INTO movements_by_product (run, product_id, movement_id)
SELECT id / 1024, product_id, id FROM movements WHERE id < (SELECT max(id) / 1024 * 1024 FROM movements) ORDER BY 1, 2, 3;

DROP INDEX movements_by_run_and_product;
