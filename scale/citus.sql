-- Distributes the tables of Orders, which grow, over the workers of a Citus cluster. Everything else stays on the
-- coordinator, which is what the hosts connect to. See docs/scaling.md, "Further than one primary".
--
-- Run it with psql, as a superuser, in the shop's database on the coordinator: after the extension was created and the
-- workers were added, after a first start of the shop has made its tables, and before it has any order.
--
--   psql 'host=… dbname=shop' -f scale/citus.sql

\set ON_ERROR_STOP on
BEGIN;
SET LOCAL search_path = orders, public;
-- Few: each batch writes to most shards, and each shard adds to the cost of its commit.
SET LOCAL citus.shard_count = 4;
-- An order and all that belongs to it are on one worker.
SELECT create_distributed_table('orders', 'id');
SELECT create_distributed_table('order_lines', 'order_id', colocate_with => 'orders');
SELECT create_distributed_table('order_events', 'order_id', colocate_with => 'orders');
SELECT create_distributed_table('reservations', 'order_id', colocate_with => 'orders');
SELECT create_distributed_table('pending_stock', 'order_id', colocate_with => 'orders');
SELECT create_distributed_table('idempotency_keys', 'key', colocate_with => 'orders');
COMMIT;

-- A batch uses one connection to each worker: what it writes there is committed at once.
ALTER DATABASE :DBNAME SET citus.multi_shard_modify_mode = 'sequential';
ALTER DATABASE :DBNAME SET citus.max_adaptive_executor_pool_size = 1;
