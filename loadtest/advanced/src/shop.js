// @ts-check
// What the load says to the shop, and what it measures of it.

import exec from 'k6/execution';
import http from 'k6/http';
import { check, fail, sleep } from 'k6';
import { Counter, Rate, Trend } from 'k6/metrics';
import { INVENTORY_URL, ORDER_URL, PRODUCT_URL } from './addresses.js';
import { orderAcknowledged, unitsMoved } from './ledger.js';
import { traceparent } from './trace.js';

const TRIES = 3;
const JSON_TYPE = { 'Content-Type': 'application/json' };

// k6's own metrics know requests; these know the shop.
const orderDuration = new Trend('order_duration', true); // from the first try to the answer that counted
const ordersPlaced = new Rate('orders_placed'); // of those who wanted to buy
const orderRetries = new Counter('order_retries'); // tries after a time-out or a refusal
const ordersReplayed = new Counter('orders_replayed'); // answers to a retry whose first try had worked
const ordersShort = new Counter('orders_short'); // refused for want of stock, as they should be
const unitsRestocked = new Counter('units_restocked');

/** @typedef {{ product_id: string, quantity: number }} Item */
/** @typedef {{ id: string, units: number }} Order */

export function waitUntilReady() {
  for (const url of [PRODUCT_URL, ORDER_URL, INVENTORY_URL]) {
    // A shop that is still starting is no error of the shop.
    const params = { responseCallback: http.expectedStatuses(0, 200, 503), tags: { name: '/health/ready' }, timeout: '5s' };
    for (let tries = 60; http.get(`${url}/health/ready`, params).status !== 200; tries--) {
      if (tries === 0) fail(`${url} was not ready within a minute`);
      sleep(1);
    }
  }
}

export function findProducts() {
  const list = http.get(`${PRODUCT_URL}/products?limit=20`, { tags: { name: '/products' } });
  check(list, { 'a page of 20 products': (response) => response.status === 200 && response.json('#') === 20 });
}

/** @param {string} id */
export function getProduct(id) {
  const product = http.get(`${PRODUCT_URL}/products/${id}`, { tags: { name: '/products/{id}' } });
  check(product, { 'the product asked for': (response) => response.status === 200 && response.json('id') === id });
}

/**
 * @param {string} name
 * @param {number} stock
 * @returns {string} its id
 */
export function createProduct(name, stock) {
  // In a category of its own: sold out, it would be among the cheapest of another one for whoever looks there later.
  const product = http.post(`${PRODUCT_URL}/products`, JSON.stringify({ name, price: 9.9, category: 'Flash sale', initial_stock: stock }), { headers: JSON_TYPE, tags: { name: '/products' } });
  if (product.status !== 201) fail(`no product for the flash sale: ${product.status} ${product.body}`);
  return String(product.json('id'));
}

/**
 * Places an order. Where no answer comes, or the shop asks to come back later, it is sent again with the same key: so it is placed once,
 * whatever became of the first try.
 * @param {string} customerId
 * @param {Item[]} items
 * @param {{ mayBeShort?: boolean }} [may]
 * @returns {Order | null}
 */
export function placeOrder(customerId, items, { mayBeShort = false } = {}) {
  const body = JSON.stringify({ customer_id: customerId, items });
  const params = {
    headers: { ...JSON_TYPE, ...traceparent(), 'Idempotency-Key': `${exec.vu.idInTest}-${exec.vu.iterationInInstance}-${Date.now()}` },
    responseCallback: http.expectedStatuses({ min: 200, max: 299 }, ...(mayBeShort ? [409] : [])),
    tags: { name: '/orders' },
    timeout: '5s',
  };
  const start = Date.now();
  let answer = http.post(`${ORDER_URL}/orders`, body, params);
  for (let tries = 1; tries < TRIES && isUnsettled(answer); tries++) {
    orderRetries.add(1);
    sleep(Number(answer.headers?.['Retry-After'] || 1));
    answer = http.post(`${ORDER_URL}/orders`, body, params);
  }
  // Still without an answer, the order may have been placed or not: it is asked for until that is known.
  for (let tries = 0; tries < 10 && answer.status === 0; tries++) {
    sleep(1);
    answer = http.post(`${ORDER_URL}/orders`, body, params);
  }

  orderDuration.add(Date.now() - start);
  if (answer.headers?.['Idempotency-Replayed'] === 'true') ordersReplayed.add(1);
  const isShort = mayBeShort && answer.status === 409;
  if (isShort) ordersShort.add(1);
  check(answer, { 'the order is placed, or there is too little': (response) => response.status === 201 || isShort });
  ordersPlaced.add(answer.status === 201);
  if (answer.status !== 201) return null;

  check(answer, { 'it is what was ordered, and its total is right': (response) => isAsOrdered(response, items) });
  // Some press the button twice, though the answer came.
  if (exec.vu.iterationInInstance % 5 === 0) {
    const again = http.post(`${ORDER_URL}/orders`, body, params);
    check(again, { 'sent twice, it is one order': (response) => response.json('order_id') === answer.json('order_id') });
  }

  const units = items.reduce((sum, item) => sum + item.quantity, 0);
  orderAcknowledged(units);
  return { id: String(answer.json('order_id')), units };
}

/**
 * @param {import('k6/http').Response} answer
 * @param {Item[]} items
 */
function isAsOrdered(answer, items) {
  const order = /** @type {any} */ (answer.json());
  const lines = (/** @type {Item[]} */ of) => of.map((line) => `${line.quantity} x ${line.product_id}`).join(', ');
  const cents = order.items.reduce((sum, line) => sum + Math.round(line.unit_price * 100) * line.quantity, 0);
  const areLinesRight = order.items.every((line) => Math.round(line.line_total * 100) === Math.round(line.unit_price * 100) * line.quantity);
  return lines(order.items) === lines(items) && areLinesRight && Math.round(order.total_amount * 100) === cents;
}

/** No answer, or an answer that asks to come back later. @param {import('k6/http').Response} answer */
function isUnsettled(answer) {
  return answer.status === 0 || answer.status === 429 || answer.status === 503;
}

/** @param {Order} order */
export function cancelOrder(order) {
  const cancelled = http.post(`${ORDER_URL}/orders/${order.id}/cancel`, null, { tags: { name: '/orders/{order_id}/cancel' } });
  if (check(cancelled, { 'the order is cancelled': (response) => response.json('status') === 'cancelled' })) unitsMoved(order.units);
}

/**
 * @param {string} productId
 * @param {number} quantity
 */
export function increaseStock(productId, quantity) {
  const increased = http.post(`${INVENTORY_URL}/inventory/increase`, JSON.stringify({ product_id: productId, quantity_increased: quantity }), { headers: JSON_TYPE, tags: { name: '/inventory/increase' } });
  if (!check(increased, { 'the stock is updated': (response) => response.json('status') === 'Stock updated' })) return;
  unitsRestocked.add(quantity);
  unitsMoved(quantity);
}
