// @ts-check
// The stock, read and changed, port 5003.
//
//   k6 run src/scenarios/inventory_service_test.js
//
// INVENTORY_URL leads it to a shop elsewhere.

import http from 'k6/http';
import { check, sleep } from 'k6';

const INVENTORY_URL = __ENV.INVENTORY_URL || 'http://localhost:5003';
const JSON_BODY = { headers: { 'Content-Type': 'application/json' } };

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
  const id = `prod_${Math.floor(Math.random() * 190)}`;

  const stock = http.get(`${INVENTORY_URL}/inventory/${id}`, { tags: { name: '/inventory/{product_id}' } });
  check(stock, {
    'the stock answers 200': (response) => response.status === 200,
    'the level is what is there less what is held': (response) =>
      response.json('stock_level') === Number(response.json('on_hand')) - Number(response.json('reserved')),
  });

  // Units come in, and as many go: the stock is as it was. The number is unlike those of other users.
  const units = 1 + Math.floor(Math.random() * 1000000);
  const increased = http.post(
    `${INVENTORY_URL}/inventory/increase`,
    JSON.stringify({ product_id: id, quantity_increased: units }),
    JSON_BODY,
  );
  check(increased, {
    'an increase answers 200': (response) => response.status === 200,
    'and says so': (response) => response.json('status') === 'Stock updated',
    'and has at least what came in': (response) => Number(response.json('new_stock_level')) >= units,
  });
  const decreased = http.post(
    `${INVENTORY_URL}/inventory/decrease`,
    JSON.stringify({ product_id: id, quantity_decreased: units }),
    JSON_BODY,
  );
  check(decreased, { 'a decrease answers 200': (response) => response.status === 200 });

  // More than there is can't go out. This 409 is right, so k6 must not count it as a failure.
  const tooMany = http.post(
    `${INVENTORY_URL}/inventory/decrease`,
    JSON.stringify({ product_id: id, quantity_decreased: 1000000000 }),
    { headers: JSON_BODY.headers, responseCallback: http.expectedStatuses(409) },
  );
  check(tooMany, {
    'more than there is answers 409': (response) => response.status === 409,
    'and says why': (response) => String(response.json('error')).includes(id),
  });

  const movements = http.get(`${INVENTORY_URL}/inventory/${id}/movements?limit=100`, {
    tags: { name: '/inventory/{product_id}/movements' },
  });
  check(movements, {
    'what came in is among its movements': (response) => hasMoved(response, 'received', units),
    'what went is among its movements': (response) => hasMoved(response, 'removed', units),
  });

  sleep(0.5);
}

/**
 * @param {import('k6/http').Response} movements
 * @param {string} kind
 * @param {number} units
 */
function hasMoved(movements, kind, units) {
  return /** @type {any[]} */ (movements.json()).some((movement) => movement.kind === kind && movement.quantity === units);
}
