// @ts-check
// A customer from the first look to the parcel, over all three services.
//
//   k6 run src/scenarios/full_user_flow_test.js
//
// PRODUCT_URL, ORDER_URL and INVENTORY_URL lead it to a shop elsewhere.

import http from 'k6/http';
import { check, group, sleep } from 'k6';

const PRODUCT_URL = __ENV.PRODUCT_URL || 'http://localhost:5001';
const ORDER_URL = __ENV.ORDER_URL || 'http://localhost:5002';
const INVENTORY_URL = __ENV.INVENTORY_URL || 'http://localhost:5003';
const JSON_BODY = { headers: { 'Content-Type': 'application/json' } };

export const options = {
  stages: [
    { duration: '5s', target: 10 },
    { duration: '20s', target: 10 },
    { duration: '5s', target: 0 },
  ],
  thresholds: {
    http_req_duration: ['p(95)<100'],
    http_req_failed: ['rate<0.001'],
    checks: ['rate>0.999'],
  },
};

export default function () {
  let productId = '';
  let orderId = '';

  group('browse', () => {
    const categories = http.get(`${PRODUCT_URL}/categories`);
    check(categories, { 'there are categories': (response) => Number(response.json('#')) > 0 });

    const found = http.get(`${PRODUCT_URL}/products?category=Home&sort=price&limit=10`);
    check(found, {
      'a category has products': (response) => Number(response.json('#')) > 0,
      'the cheapest is first': (response) => Number(response.json('0.price')) <= Number(response.json('1.price')),
    });
    // The last ten products of the demo data, prod_190 to prod_199, are short of stock: this customer wants none of them.
    const products = /** @type {any[]} */ (found.json()).filter((product) => !product.id.startsWith('prod_19'));
    productId = products[Math.floor(Math.random() * products.length)].id;
    sleep(0.2); // a moment to choose

    const product = http.get(`${PRODUCT_URL}/products/${productId}`, { tags: { name: '/products/{id}' } });
    check(product, { 'the product is there': (response) => response.status === 200 });
  });

  group('buy', () => {
    const stock = http.get(`${INVENTORY_URL}/inventory/${productId}`, { tags: { name: '/inventory/{product_id}' } });
    check(stock, { 'it is in stock': (response) => Number(response.json('stock_level')) > 0 });

    const order = { customer_id: `customer-${__VU}`, items: [{ product_id: productId, quantity: 1 }] };
    const placed = http.post(`${ORDER_URL}/orders`, JSON.stringify(order), JSON_BODY);
    check(placed, { 'the order is placed': (response) => response.status === 201 });
    orderId = String(placed.json('order_id'));

    const paid = http.post(`${ORDER_URL}/orders/${orderId}/pay`, null, { tags: { name: '/orders/{order_id}/pay' } });
    check(paid, { 'it is paid': (response) => response.json('status') === 'paid' });
  });

  group('receive', () => {
    for (const step of ['ship', 'deliver']) {
      const changed = http.post(`${ORDER_URL}/orders/${orderId}/${step}`, null, { tags: { name: `/orders/{order_id}/${step}` } });
      check(changed, { [`${step} succeeds`]: (response) => response.status === 200 });
    }

    const events = http.get(`${ORDER_URL}/orders/${orderId}/events`, { tags: { name: '/orders/{order_id}/events' } });
    check(events, { 'its history has four steps': (response) => response.json('#') === 4 });
  });

  sleep(0.5);
}
