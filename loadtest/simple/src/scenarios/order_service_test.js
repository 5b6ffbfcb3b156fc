// @ts-check
// Orders from their first minute to their last, port 5002.
//
//   k6 run src/scenarios/order_service_test.js
//
// ORDER_URL leads it to a shop elsewhere.

import http from 'k6/http';
import { check, sleep } from 'k6';

const ORDER_URL = __ENV.ORDER_URL || 'http://localhost:5002';

export const options = {
  stages: [
    { duration: '5s', target: 20 },
    { duration: '15s', target: 20 },
    { duration: '5s', target: 0 },
  ],
  thresholds: {
    http_req_duration: ['p(95)<100'],
    http_req_failed: ['rate<0.001'],
    checks: ['rate>0.999'],
  },
};

export default function () {
  // An order of two lines. The key makes it safe to send again when no answer comes.
  const order = {
    customer_id: `customer-${__VU}`,
    items: [
      { product_id: `prod_${Math.floor(Math.random() * 95)}`, quantity: 1 },
      { product_id: `prod_${95 + Math.floor(Math.random() * 95)}`, quantity: 2 },
    ],
  };
  const params = {
    headers: {
      'Content-Type': 'application/json',
      'Idempotency-Key': `order-${__VU}-${__ITER}-${Date.now()}`,
    },
  };
  const placed = http.post(`${ORDER_URL}/orders`, JSON.stringify(order), params);
  const isPlaced = check(placed, {
    'an order is placed with 201': (response) => response.status === 201,
    'it has both lines': (response) => linesOf(response) === linesOf(order),
    'each line is its price times its quantity': (response) => linesAreRight(response),
    'its total is the sum of its lines': (response) => totalIsRight(response),
  });
  if (!isPlaced) return;

  // Sent again, it is the same order, not a second one.
  const repeated = http.post(`${ORDER_URL}/orders`, JSON.stringify(order), params);
  check(repeated, {
    'repeated, the answer is the same': (response) => response.body === placed.body,
    'and says that it is a repeat': (response) => response.headers['Idempotency-Replayed'] === 'true',
  });

  // Its life. The names group the requests of all orders in k6's results.
  const id = placed.json('order_id');
  for (const [step, status] of [['pay', 'paid'], ['ship', 'shipped'], ['deliver', 'delivered']]) {
    const changed = http.post(`${ORDER_URL}/orders/${id}/${step}`, null, { tags: { name: `/orders/{order_id}/${step}` } });
    check(changed, { [`${step} makes it ${status}`]: (response) => response.json('status') === status });
  }

  const found = http.get(`${ORDER_URL}/orders/${id}`, { tags: { name: '/orders/{order_id}' } });
  check(found, {
    'it can be read, delivered': (response) => response.json('status') === 'delivered',
    'it is the order that was placed': (response) =>
      response.json('order_id') === id && linesOf(response) === linesOf(order) && response.json('total_amount') === placed.json('total_amount'),
  });

  // More than there is can't be ordered. This 409 is right, so k6 must not count it as a failure.
  const tooMany = http.post(
    `${ORDER_URL}/orders`,
    JSON.stringify({ customer_id: order.customer_id, items: [{ product_id: 'prod_199', quantity: 10000 }] }),
    { headers: { 'Content-Type': 'application/json' }, responseCallback: http.expectedStatuses(409) },
  );
  check(tooMany, {
    'more than there is answers 409': (response) => response.status === 409,
    'and says of which product': (response) => response.json('shortages.0.product_id') === 'prod_199',
  });

  sleep(0.5);
}

/** @param {import('k6/http').Response} response */
function linesAreRight(response) {
  const order = /** @type {any} */ (response.json());
  return order.items.every((line) => Math.round(line.line_total * 100) === Math.round(line.unit_price * 100) * line.quantity);
}

/** @param {import('k6/http').Response} response */
function totalIsRight(response) {
  const order = /** @type {any} */ (response.json());
  const cents = order.items.reduce((sum, line) => sum + Math.round(line.unit_price * 100) * line.quantity, 0);
  return Math.round(order.total_amount * 100) === cents;
}

/** What was ordered, as text. @param {any} order an order, or an answer with one */
function linesOf(order) {
  const { items = [] } = order.json ? order.json() : order;
  return items.map((line) => `${line.quantity} x ${line.product_id}`).join(', ');
}
