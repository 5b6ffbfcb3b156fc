// @ts-check
// A shop's day, faster: browsers, buyers, restockers and a flash sale at once.
//
//   k6 run -e SCENARIO=smoke src/main.js
//
// SCENARIO is smoke, average, stress, spike, soak or breakpoint (profiles.js); PRODUCT_URL, ORDER_URL and INVENTORY_URL say where
// the shop is; RESULTS is the folder of the results. At the end the shop's books must agree with what k6 saw (ledger.js), or the
// run fails. So nobody else may order or restock meanwhile.

import exec from 'k6/execution';
import { sleep } from 'k6';
import { cancelOrder, createProduct, findProducts, getProduct, placeOrder, increaseStock, waitUntilReady } from './shop.js';
import { closeBooks, openBooks } from './ledger.js';
import { report } from './summary.js';
import { pickPopular } from './popularity.js';
import { profile } from './profiles.js';

const FLASH_UNITS = Number(__ENV.FLASH_UNITS || 100);

export const options = profile(__ENV.SCENARIO || 'average');

export function setup() {
  waitUntilReady();
  const flashProduct = createProduct('Flash sale lamp', FLASH_UNITS);
  return { flashProduct, books: openBooks() };
}

/** Looks around, as most do. */
export function browse() {
  findProducts();
  for (let looks = 1 + Math.floor(Math.random() * 3); looks > 0; looks--) {
    getProduct(pickPopular());
    sleep(Math.random());
  }
}

/** Buys one to three products; one of twenty buyers thinks better of it. */
export function buy() {
  const items = [];
  for (let lines = 1 + Math.floor(Math.random() * 3); lines > 0; lines--) {
    items.push({ product_id: pickPopular(), quantity: 1 + Math.floor(Math.random() * 3) });
  }
  getProduct(items[0].product_id);
  const order = placeOrder(customer(), items);
  if (order && Math.random() < 0.05) cancelOrder(order);
}

/** Takes in what popular products lose. */
export function restock() {
  increaseStock(pickPopular(), 10 + Math.floor(Math.random() * 90));
}

/**
 * Everyone wants the same product at the same moment, and there is too little of it.
 * @param {{ flashProduct: string }} data
 */
export function flashSale(data) {
  placeOrder(customer(), [{ product_id: data.flashProduct, quantity: 1 }], { mayBeShort: true });
}

/** @param {{ flashProduct: string, books: import('./ledger.js').Books }} data */
export function teardown(data) {
  closeBooks(data.books, data.flashProduct, FLASH_UNITS);
}

export const handleSummary = report;

function customer() {
  return `customer-${exec.vu.idInTest}`;
}
