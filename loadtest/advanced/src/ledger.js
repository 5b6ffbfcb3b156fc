// @ts-check
// The shop's books against k6's own. Each user adds what it was told to a counter, and at the end the shop's figures are taken off: what is
// left must be nothing, which is a threshold like any other (profiles.js), so a difference fails the run.

import http from 'k6/http';
import { fail, sleep } from 'k6';
import { Counter, Gauge } from 'k6/metrics';
import { INVENTORY_URL, ORDER_URL } from './addresses.js';

const ordersAcknowledged = new Counter('orders_acknowledged');
const ordersUnaccounted = new Counter('orders_unaccounted');
const unitsUnaccounted = new Counter('units_unaccounted');
const unitsOversold = new Counter('units_oversold');
const flashUnitsLeft = new Gauge('flash_units_left');

/** @typedef {{ orders: number, units: number }} Books orders that were ever created; units that can be sold */

/** @param {number} units that the order holds */
export function orderAcknowledged(units) {
  ordersAcknowledged.add(1);
  ordersUnaccounted.add(1);
  unitsMoved(-units);
}

/** @param {number} units that can be sold now, and could not before; negative where they went */
export function unitsMoved(units) {
  unitsUnaccounted.add(units);
}

/** @returns {Books} */
export function openBooks() {
  return { orders: ordersCreated(), units: unitsInStock() };
}

/**
 * @param {Books} opening
 * @param {string} flashProduct
 * @param {number} flashUnits that there were of it
 */
export function closeBooks(opening, flashProduct, flashUnits) {
  waitUntilSettled();
  ordersUnaccounted.add(opening.orders - ordersCreated());
  unitsUnaccounted.add(opening.units - unitsInStock());
  const flash = /** @type {any} */ (http.get(`${INVENTORY_URL}/inventory/${flashProduct}`, { tags: { name: '/inventory/{product_id}' } }).json());
  flashUnitsLeft.add(flash.stock_level);
  unitsOversold.add(Math.max(0, -flash.stock_level) + Math.max(0, flash.reserved - flashUnits));
}

/** What a cancelled order held comes back behind its answer: then as many reservations are open as orders. */
function waitUntilSettled() {
  for (let tries = 0; tries < 30; tries++) {
    const orders = figure(ORDER_URL, 'orders_by_status{status="created"') + figure(ORDER_URL, 'orders_by_status{status="paid"');
    if (figure(INVENTORY_URL, 'inventory_reservations_open') === orders) return;
    sleep(1);
  }
}

function ordersCreated() {
  return figure(ORDER_URL, 'orders_created_total');
}

/**
 * @param {string} url
 * @param {string} series a metric with its first label, if that tells it from others
 */
function figure(url, series) {
  const metrics = http.get(`${url}/metrics`, { tags: { name: '/metrics' } });
  const line = String(metrics.body).split('\n').find((text) => text.startsWith(series));
  if (!line) fail(`${url}/metrics has no ${series}`);
  return Number(line.slice(line.lastIndexOf(' ')));
}

function unitsInStock() {
  let units = 0;
  for (let path = '/inventory?limit=1000'; path; ) {
    const page = http.get(INVENTORY_URL + path, { tags: { name: '/inventory' } });
    const levels = /** @type {any[]} */ (page.json());
    for (const product of levels) units += product.stock_level;
    const next = (page.headers.Link || '').match(/<([^>]*)>; rel="next"/);
    path = next ? next[1] : '';
  }
  return units;
}
