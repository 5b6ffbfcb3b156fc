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
  let price = 0;
  let orderId = '';

  group('browse', () => {
    const categories = http.get(`${PRODUCT_URL}/categories`);
    check(categories, { 'there are categories': (response) => Number(response.json('#')) > 0 });

    const found = http.get(`${PRODUCT_URL}/products?category=Home&sort=price&limit=10`);
    const all = /** @type {any[]} */ (found.json());
    check(all, {
      'a category has ten products': (products) => products.length === 10,
      'all are of that category': (products) => products.every((product) => product.category === 'Home'),
      'the cheapest is first': (products) => products.every((product, place) => place === 0 || products[place - 1].price <= product.price),
    });
    // The last ten products of the demo data, prod_190 to prod_199, are short of stock: this customer wants none of them.
    const products = all.filter((product) => !product.id.startsWith('prod_19'));
    const chosen = products[Math.floor(Math.random() * products.length)];
    [productId, price] = [chosen.id, chosen.price];
    sleep(0.2); // a moment to choose

    const product = http.get(`${PRODUCT_URL}/products/${productId}`, { tags: { name: '/products/{id}' } });
    check(product, { 'the product is there, at that price': (response) => response.json('id') === productId && response.json('price') === price });
  });

  group('buy', () => {
    const stock = http.get(`${INVENTORY_URL}/inventory/${productId}`, { tags: { name: '/inventory/{product_id}' } });
    check(stock, { 'it is in stock': (response) => Number(response.json('stock_level')) > 0 });

    // The button is pressed twice: the key tells the shop that it is one order.
    const order = { customer_id: `customer-${__VU}`, items: [{ product_id: productId, quantity: 2 }] };
    const params = { headers: { ...JSON_BODY.headers, 'Idempotency-Key': `flow-${__VU}-${__ITER}-${Date.now()}` } };
    const placed = http.post(`${ORDER_URL}/orders`, JSON.stringify(order), params);
    const again = http.post(`${ORDER_URL}/orders`, JSON.stringify(order), params);
    check(placed, {
      'the order is placed': (response) => response.status === 201,
      'it costs what two of the product cost': (response) => Math.round(Number(response.json('total_amount')) * 100) === Math.round(price * 100) * 2,
      'its line says the same': (response) => Math.round(Number(response.json('items.0.line_total')) * 100) === Math.round(price * 100) * 2,
      'pressed twice, it is one order': (response) => response.json('order_id') === again.json('order_id'),
    });
    orderId = String(placed.json('order_id'));

    const movements = http.get(`${INVENTORY_URL}/inventory/${productId}/movements?limit=1000`, { tags: { name: '/inventory/{product_id}/movements' } });
    check(movements, { 'its two units are held': (response) => unitsOf(orderId, 'reserved', response) === 2 });

    const paid = http.post(`${ORDER_URL}/orders/${orderId}/pay`, null, { tags: { name: '/orders/{order_id}/pay' } });
    check(paid, { 'it is paid': (response) => response.json('status') === 'paid' });
  });

  group('receive', () => {
    for (const [step, status] of [['ship', 'shipped'], ['deliver', 'delivered']]) {
      const changed = http.post(`${ORDER_URL}/orders/${orderId}/${step}`, null, { tags: { name: `/orders/{order_id}/${step}` } });
      check(changed, { [`it is ${status}`]: (response) => response.json('status') === status });
    }

    const events = http.get(`${ORDER_URL}/orders/${orderId}/events`, { tags: { name: '/orders/{order_id}/events' } });
    check(events, { 'its history has four steps': (response) => stepsOf(response) === 'created, paid, shipped, delivered' });
  });

  sleep(0.5);
}

/**
 * @param {string} order
 * @param {string} kind
 * @param {import('k6/http').Response} movements
 */
function unitsOf(order, kind, movements) {
  const own = /** @type {any[]} */ (movements.json()).filter((movement) => movement.order_id === order && movement.kind === kind);
  return own.reduce((sum, movement) => sum + Math.abs(movement.quantity), 0);
}

/** @param {import('k6/http').Response} events */
function stepsOf(events) {
  return /** @type {any[]} */ (events.json()).map((event) => event.status).join(', ');
}
