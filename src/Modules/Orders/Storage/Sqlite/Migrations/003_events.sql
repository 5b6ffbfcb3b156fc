-- That an order was created, and when, stands in the order.
DELETE FROM order_events WHERE status = 'created';
