// @ts-check
// Reads and writes of the products service, port 5001.
//
//   k6 run src/scenarios/product_service_test.js
//
// PRODUCT_URL leads it to a shop elsewhere:
//
//   k6 run -e PRODUCT_URL=http://shop:5001 src/scenarios/product_service_test.js

import http from 'k6/http';
import { check, sleep } from 'k6';

const PRODUCT_URL = __ENV.PRODUCT_URL || 'http://localhost:5001';
const JSON_BODY = { headers: { 'Content-Type': 'application/json' } };

export const options = {
  // Users come, stay for a while, and go.
  stages: [
    { duration: '5s', target: 20 },
    { duration: '15s', target: 20 },
    { duration: '5s', target: 0 },
  ],
  // What must hold at the end; k6 ends with an error where it does not.
  thresholds: {
    http_req_duration: ['p(95)<100'], // 95 of 100 answers within 100 ms
    http_req_failed: ['rate<0.001'], // less than 1 answer of 1,000 is an error
    checks: ['rate>0.999'], // and the answers say what they should
  },
};

// Each user does this over and over.
export default function () {
  // The catalogue, twenty products a page.
  const list = http.get(`${PRODUCT_URL}/products?limit=20`);
  check(list, {
    'the list answers 200': (response) => response.status === 200,
    'it has 20 products': (response) => response.json('#') === 20,
    'it says how many there are in all': (response) => Number(response.headers['X-Total-Count']) >= 200,
  });

  // One of them. The name groups all products under one name in k6's results.
  const id = `prod_${Math.floor(Math.random() * 190)}`;
  const product = http.get(`${PRODUCT_URL}/products/${id}`, { tags: { name: '/products/{id}' } });
  check(product, {
    'the product answers 200': (response) => response.status === 200,
    'it is the one we asked for': (response) => response.json('id') === id,
    'it costs something': (response) => Number(response.json('price')) > 0,
  });

  // What we have already is not sent again. (k6 writes the header ETag as Etag.)
  const again = http.get(`${PRODUCT_URL}/products/${id}`, {
    headers: { 'If-None-Match': product.headers.Etag },
    tags: { name: '/products/{id}' },
  });
  check(again, { 'an unchanged product answers 304': (response) => response.status === 304 });

  // Now and then a product is made, changed and removed.
  if (Math.random() < 0.05) changeTheCatalogue();

  sleep(0.5);
}

function changeTheCatalogue() {
  const made = http.post(
    `${PRODUCT_URL}/products`,
    JSON.stringify({ name: 'Load test lamp', price: 19.9, category: 'Home', initial_stock: 10 }),
    JSON_BODY,
  );
  if (!check(made, { 'a product is created with 201': (response) => response.status === 201 })) return;

  const address = `${PRODUCT_URL}/products/${made.json('id')}`;
  const name = { name: '/products/{id}' };
  const changed = http.put(address, JSON.stringify({ name: 'Load test lamp', price: 17.9 }), {
    headers: { 'Content-Type': 'application/json', 'If-Match': made.headers.Etag },
    tags: name,
  });
  check(changed, { 'its new price is there': (response) => response.json('price') === 17.9 });

  const removed = http.del(address, null, { tags: name });
  check(removed, { 'it is removed with 204': (response) => response.status === 204 });

  // This 404 is right.
  const gone = http.get(address, { tags: name, responseCallback: http.expectedStatuses(404) });
  check(gone, { 'removed, it answers 404': (response) => response.status === 404 });
}
