// The scripts, run against a shop that is broken: each must notice, and each of its checks and thresholds must be what notices something.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { answer, answers, breakShop, json, without } from './broken-shop.js';
import { optionsOf, run } from './runner.js';
import { startShop } from './shop.js';

const simple = (name) => new URL(`../simple/src/scenarios/${name}_test.js`, import.meta.url).pathname;
const MAIN = new URL('../advanced/src/main.js', import.meta.url).pathname;
const [PRODUCTS, ORDERS, INVENTORY, FLOW] = ['product_service', 'order_service', 'inventory_service', 'full_user_flow'].map(simple);
const GOOD = { http_req_duration: ['p(95)<100'], http_req_failed: ['rate<0.001'], checks: ['rate>0.999'] };
const BOOKS = { orders_unaccounted: ['count==0'], units_unaccounted: ['count==0'], units_oversold: ['count==0'] };

let shop;
let results;

before(async () => {
  shop = await startShop();
  results = mkdtempSync(path.join(tmpdir(), 'shop-broken-'));
});

after(async () => {
  await shop.stop();
  rmSync(results, { recursive: true });
});

// The faults. Each is small: what a coarse check lets pass.

const after150Milliseconds = async (call, ask) => {
  await delay(150);
  return ask(call);
};
const crash = async () => answer(500, {});
const worksAndCrashes = (call, ask) => ask(call).then(crash);
const worksAndDies = (call, ask) => ask(call).then(() => null);
const oneCentMore = (order) => ({ ...order, total_amount: Number((order.total_amount + 0.01).toFixed(2)) });
// The shop adds up rightly what it multiplied wrongly.
const oneCentMoreALine = (order) => ({
  ...oneCentMore(order),
  items: order.items.map((line, place) => (place === 0 ? { ...line, line_total: Number((line.line_total + 0.01).toFixed(2)) } : line)),
});
// The total is right, what the last line says is not.
const oneCentMoreOnTheLastLine = (order) => ({
  ...order,
  items: order.items.map((line, place) => (place === order.items.length - 1 ? { ...line, line_total: Number((line.line_total + 0.01).toFixed(2)) } : line)),
});
const madeUp = (call) => {
  const { customer_id, items } = JSON.parse(call.body);
  const lines = items.map((item) => ({ ...item, name: 'Lamp', unit_price: 9.9, line_total: 9.9 * item.quantity }));
  return answer(201, { order_id: `made-up-${Math.random()}`, customer_id, status: 'created', items: lines, total_amount: lines.reduce((sum, line) => sum + line.line_total, 0) });
};
const withoutKey = (call, ask) => ask({ ...call, headers: without(call.headers, 'idempotency-key') });
const ORDER = '/orders';
const AN_ORDER = '/orders/[^/]+';
const STOCK = '/inventory/[^/]+';

/** [what is wrong, the fault, the checks that fail, the thresholds that are broken beside that of checks] */
const SIMPLE = new Map([
  [PRODUCTS, [
    ['a page has one product too few', json('GET', '/products', (list) => list.slice(1)), ['it has 20 products']],
    ['the list is an error, with its products', answers('GET', '/products', async (call, ask) => ({ ...(await ask(call)), status: 500 })), ['the list answers 200'], ['http_req_failed']],
    ['the total is one too low', answers('GET', '/products', async (call, ask) => { const page = await ask(call); return { ...page, headers: { ...page.headers, 'x-total-count': '199' } }; }), ['it says how many there are in all']],
    ['another product answers', json('GET', '/products/[^/]+', (product) => ({ ...product, id: `${product.id}0` })), ['it is the one we asked for']],
    ['a product is free', json('GET', '/products/[^/]+', (product) => ({ ...product, price: 0 })), ['it costs something']],
    ['a product answers 203', answers('GET', '/products/[^/]+', async (call, ask) => { const product = await ask(call); return product.status === 200 ? { ...product, status: 203 } : product; }), ['the product answers 200']],
    ['what is unchanged is sent again', answers('GET', '/products/[^/]+', (call, ask) => ask({ ...call, headers: without(call.headers, 'if-none-match') })), ['an unchanged product answers 304']],
    ['a product is not created', answers('POST', '/products', crash), ['a product is created with 201'], ['http_req_failed']],
    ['a change is forgotten', json('PUT', '/products/[^/]+', (product) => ({ ...product, price: 19.9 })), ['its new price is there']],
    ['a change is a cent off', json('PUT', '/products/[^/]+', (product) => ({ ...product, price: 17.91 })), ['its new price is there']],
    ['what was removed crashes', answers('GET', '/products/[^/]+', async (call, ask) => { const product = await ask(call); return product.status === 404 ? crash() : product; }), ['removed, it answers 404'], ['http_req_failed']],
    ['a product is not removed', answers('DELETE', '/products/[^/]+', async () => ({ ...answer(204, {}), body: '' })), ['removed, it answers 404'], ['http_req_failed']],
    ['a removal answers 200', answers('DELETE', '/products/[^/]+', async (call, ask) => ({ ...(await ask(call)), status: 200 })), ['it is removed with 204']],
    ['everything is slow', after150Milliseconds, [], ['http_req_duration']],
  ]],
  [ORDERS, [
    ['answers die after placing', answers('POST', ORDER, worksAndDies), null, ['http_req_failed']],
    ['orders are placed, and 500 is answered', answers('POST', ORDER, worksAndCrashes), null, ['http_req_failed']],
    ['a total is wrong by a cent', json('POST', ORDER, oneCentMore), ['its total is the sum of its lines']],
    ['a line and the total are wrong by a cent', json('POST', ORDER, oneCentMoreALine), ['each line is its price times its quantity', 'its total is the sum of its lines']],
    ['a line alone is wrong by a cent', json('POST', ORDER, oneCentMoreOnTheLastLine), ['each line is its price times its quantity']],
    ['a line is of another product', json('POST', ORDER, (order) => ({ ...order, items: order.items.map((line) => ({ ...line, product_id: `${line.product_id}0` })) })), ['it has both lines']],
    ['an order that is placed answers 200', answers('POST', ORDER, async (call, ask) => { const placed = await ask(call); return placed.status === 201 ? { ...placed, status: 200 } : placed; }), ['an order is placed with 201']],
    ['a line has a unit too few', json('POST', ORDER, (order) => ({ ...order, items: order.items.map((line) => (line.quantity > 1 ? { ...line, quantity: 1, unit_price: line.unit_price * 2 } : line)) })), ['it has both lines']],
    ['what is short is sold', answers('POST', ORDER, async (call, ask) => { const sold = await ask(call); return sold.status === 409 ? madeUp(call) : sold; }), ['and says of which product', 'more than there is answers 409'], ['http_req_failed']],
    ['what is short is said of another product', answers('POST', ORDER, async (call, ask) => { const sold = await ask(call); return sold.status === 409 ? { ...sold, body: sold.body.replaceAll('prod_199', 'prod_19') } : sold; }), ['and says of which product']],
    ['what is short is refused without a word', answers('POST', ORDER, async (call, ask) => { const sold = await ask(call); return sold.status === 409 ? answer(409, {}) : sold; }), ['and says of which product']],
    ['orders are forgotten', answers('POST', ORDER, async (call) => madeUp(call)), null, ['http_req_failed']],
    ['keys are not known again', answers('POST', ORDER, withoutKey), ['and says that it is a repeat', 'repeated, the answer is the same']],
    ['a repeat does not say so', answers('POST', ORDER, async (call, ask) => { const placed = await ask(call); return { ...placed, headers: without(placed.headers, 'idempotency-replayed') }; }), ['and says that it is a repeat']],
    ['an order is paid, and stays unpaid', json('POST', `${AN_ORDER}/pay`, (order) => ({ ...order, status: 'created' })), ['pay makes it paid']],
    ['an order is shipped, and stays paid', json('POST', `${AN_ORDER}/ship`, (order) => ({ ...order, status: 'paid' })), ['ship makes it shipped']],
    ['an order is delivered, and stays shipped', json('POST', `${AN_ORDER}/deliver`, (order) => ({ ...order, status: 'shipped' })), ['deliver makes it delivered']],
    ['a status is read late', json('GET', AN_ORDER, (order) => ({ ...order, status: 'shipped' })), ['it can be read, delivered']],
    ['another order is read', json('GET', AN_ORDER, (order) => ({ ...order, items: order.items.slice(1) })), ['it is the order that was placed']],
    ['an order is read by another id', json('GET', AN_ORDER, (order) => ({ ...order, order_id: `${order.order_id}0` })), ['it is the order that was placed']],
    ['an order is read with another total', json('GET', AN_ORDER, oneCentMore), ['it is the order that was placed']],
    ['everything is slow', after150Milliseconds, [], ['http_req_duration']],
  ]],
  [INVENTORY, [
    ['answers die after an increase', answers('POST', '/inventory/increase', worksAndDies), null, ['http_req_failed']],
    ['stock answers 203', answers('GET', STOCK, async (call, ask) => ({ ...(await ask(call)), status: 203 })), ['the stock answers 200']],
    ['a level is one too high', json('GET', STOCK, (stock) => ({ ...stock, stock_level: stock.stock_level + 1 })), ['the level is what is there less what is held']],
    ['a level is one too low', json('GET', STOCK, (stock) => ({ ...stock, stock_level: stock.stock_level - 1 })), ['the level is what is there less what is held']],
    ['an increase crashes after it has worked', answers('POST', '/inventory/increase', async (call, ask) => ({ ...(await ask(call)), status: 500 })), ['an increase answers 200'], ['http_req_failed']],
    ['an increase says nothing', json('POST', '/inventory/increase', ({ new_stock_level }) => ({ new_stock_level })), ['and says so']],
    ['an increase is forgotten', answers('POST', '/inventory/increase', async () => answer(200, { new_stock_level: 2e6, status: 'Stock updated' })), ['what came in is among its movements']],
    ['an increase starts from nothing', json('POST', '/inventory/increase', (stock) => ({ ...stock, new_stock_level: 0 })), ['and has at least what came in']],
    ['an increase has a unit too few', json('POST', '/inventory/increase', (stock, call) => ({ ...stock, new_stock_level: JSON.parse(call.body).quantity_increased - 1 })), ['and has at least what came in']],
    ['movements are of less than nothing', json('GET', `${STOCK}/movements`, (list) => list.map((movement) => ({ ...movement, quantity: -movement.quantity }))), ['what came in is among its movements', 'what went is among its movements']],
    ['movements are of a unit more than was asked for', json('GET', `${STOCK}/movements`, (list) => list.map((movement) => ({ ...movement, quantity: movement.quantity + Math.sign(movement.quantity) }))), ['what came in is among its movements', 'what went is among its movements']],
    ['a decrease is forgotten', answers('POST', '/inventory/decrease', async (call, ask) => (JSON.parse(call.body).quantity_decreased > 1e6 ? ask(call) : answer(200, { status: 'Stock updated' }))), ['what went is among its movements']],
    ['a decrease is refused', answers('POST', '/inventory/decrease', async (call, ask) => (JSON.parse(call.body).quantity_decreased > 1e6 ? ask(call) : answer(409, {}))), ['a decrease answers 200', 'what went is among its movements'], ['http_req_failed']],
    ['more goes than there is', answers('POST', '/inventory/decrease', async (call, ask) => (JSON.parse(call.body).quantity_decreased > 1e6 ? answer(200, { error: JSON.parse(call.body).product_id }) : ask(call))), ['more than there is answers 409'], ['http_req_failed']],
    ['a refusal is said of another product', answers('POST', '/inventory/decrease', async (call, ask) => { const went = await ask(call); return went.status === 409 ? { ...went, body: went.body.replaceAll(JSON.parse(call.body).product_id, 'prod_other') } : went; }), ['and says why']],
    ['a refusal does not say why', answers('POST', '/inventory/decrease', async (call, ask) => { const went = await ask(call); return went.status === 409 ? answer(409, { error: 'No.' }) : went; }), ['and says why']],
    ['everything is slow', after150Milliseconds, [], ['http_req_duration']],
  ]],
  [FLOW, [
    ['answers die after placing', answers('POST', ORDER, worksAndDies), null, ['http_req_failed']],
    ['orders are placed, and 500 is answered', answers('POST', ORDER, worksAndCrashes), null, ['http_req_failed']],
    ['there are no categories', json('GET', '/categories', () => []), ['there are categories']],
    ['a page has one product too few', json('GET', '/products', (list) => list.slice(1)), ['a category has ten products']],
    ['another category is mixed in', json('GET', '/products', (list) => list.map((product, place) => (place === 4 ? { ...product, category: 'Garden' } : product))), ['all are of that category']],
    ['the last product is cheaper than the first', json('GET', '/products', (list) => list.map((product, place) => (place === 9 ? { ...product, price: 0.01 } : product))), ['the cheapest is first']],
    ['one in the middle is cheaper than the one before', json('GET', '/products', (list) => list.map((product, place) => (place === 5 ? { ...product, price: list[4].price - 0.01 } : product))), ['the cheapest is first']],
    ['a product has another price than in the list', json('GET', '/products/[^/]+', (product) => ({ ...product, price: product.price + 0.01 })), ['the product is there, at that price']],
    ['a product is out of stock', json('GET', STOCK, (stock) => ({ ...stock, stock_level: 0 })), ['it is in stock']],
    ['a total is wrong by a cent', json('POST', ORDER, oneCentMore), ['it costs what two of the product cost']],
    ['a line and the total are wrong by a cent', json('POST', ORDER, oneCentMoreALine), ['it costs what two of the product cost', 'its line says the same']],
    ['a line alone is wrong by a cent', json('POST', ORDER, oneCentMoreOnTheLastLine), ['its line says the same']],
    ['an order that is placed answers 200', answers('POST', ORDER, async (call, ask) => { const placed = await ask(call); return placed.status === 201 ? { ...placed, status: 200 } : placed; }), ['the order is placed']],
    ['orders are forgotten', answers('POST', ORDER, async (call) => madeUp(call)), null, ['http_req_failed']],
    ['keys are not known again', answers('POST', ORDER, withoutKey), ['pressed twice, it is one order']],
    ['more is sold than is held', json('GET', `${STOCK}/movements`, (list) => list.map((movement) => (movement.kind === 'reserved' ? { ...movement, quantity: 1 } : movement))), ['its two units are held']],
    ['more is held than is sold', json('GET', `${STOCK}/movements`, (list) => list.map((movement) => (movement.kind === 'reserved' ? { ...movement, quantity: 3 } : movement))), ['its two units are held']],
    ['an order is paid, and stays unpaid', json('POST', `${AN_ORDER}/pay`, (order) => ({ ...order, status: 'created' })), ['it is paid']],
    ['an order is shipped, and stays paid', json('POST', `${AN_ORDER}/ship`, (order) => ({ ...order, status: 'paid' })), ['it is shipped']],
    ['an order is delivered, and stays shipped', json('POST', `${AN_ORDER}/deliver`, (order) => ({ ...order, status: 'shipped' })), ['it is delivered']],
    ['a step is not in the history', json('GET', `${AN_ORDER}/events`, (events) => [events[0], events[1], events[1], events[3]]), ['its history has four steps']],
    ['everything is slow', after150Milliseconds, [], ['http_req_duration']],
  ]],
]);

// The same number for a run, so that what is done now and then is done; another one for each, so that none finds what another has left.
let runs = 0;
const random = () => 0.01 + ++runs / 10000;

for (const [script, faults] of SIMPLE) {
  const name = path.basename(script, '.js');
  for (const [what, fault, fails, breaks = []] of faults) {
    test(`given ${what}, when ${name} runs, then it fails and says so`, async () => {
      const result = await runBroken(script, fault, { iterations: 2, random: random() });
      if (fails) assert.deepEqual(result.failed, fails, result.all);
      assert.deepEqual(result.broken, [...(fails && fails.length === 0 ? [] : ['checks']), ...breaks].sort(), result.all);
    });
  }

  test(`given the faults above, then each check of ${name} fails for one of them`, async () => {
    const seen = new Set();
    const output = { add: ({ name, tags }) => name === 'checks' && seen.add(tags.check), close: () => {} };
    await run(script, { env: shop.env, scale: 0.02, iterations: 1, random: random(), output });
    assert.deepEqual([...seen].sort(), [...new Set([...faults.flatMap(([, , fails]) => fails ?? [])])].sort());
  });
}

const FLASH_UNITS = 3; // five want one
const isFlash = (call) => /"prod_[2-9]\d\d"/.test(call.body); // made after the demo data
const onlyFlash = (fault) => answers('POST', ORDER, (call, ask) => (isFlash(call) ? fault(call, ask) : ask(call)));
const onlyOthers = (fault) => answers('POST', ORDER, (call, ask) => (isFlash(call) ? ask(call) : fault(call, ask)));
const tries = new Map();
/** A fault in the first so many tries of an order. */
const firstTries = (most, fault) => onlyOthers((call, ask) => {
  const key = `${fault} ${call.headers['idempotency-key']} ${call.body}`;
  tries.set(key, (tries.get(key) ?? 0) + 1);
  return tries.get(key) <= most ? fault(call, ask) : ask(call);
});
const comeLater = async () => answer(503, {}, { 'retry-after': '1' });
const tooFast = async () => answer(429, {}, { 'retry-after': '1' });

/** [what is wrong, the fault, the checks that fail, the thresholds that are broken, what else must hold] */
const ADVANCED = [
  ['the first answers to orders die after placing', firstTries(1, worksAndDies), [], ['http_req_failed'], ({ orders_replayed, order_retries }) => assert.ok(orders_replayed === order_retries && order_retries > 10)],
  ['many answers to an order die after placing', firstTries(12, worksAndDies), [], ['http_req_failed'], ({ orders_replayed }) => assert.ok(orders_replayed > 10)],
  ['answers to orders die after placing, for ever', firstTries(Infinity, worksAndDies), ['the order is placed, or there is too little'], ['checks', 'http_req_failed', 'orders_unaccounted', 'units_unaccounted']],
  ['orders are asked to come back', firstTries(2, comeLater), [], ['http_req_failed'], ({ orders_replayed, order_retries }) => assert.ok(orders_replayed === undefined && order_retries > 20)],
  ['orders are asked to come back for ever', firstTries(Infinity, comeLater), ['the order is placed, or there is too little'], ['checks', 'http_req_failed']],
  ['orders come too fast', firstTries(1, tooFast), [], ['http_req_failed'], ({ order_retries }) => assert.ok(order_retries > 10)],
  ['orders are placed, and 500 is answered', firstTries(1, worksAndCrashes), ['the order is placed, or there is too little'], ['checks', 'http_req_failed', 'orders_unaccounted', 'units_unaccounted']],
  ['a total is wrong by a cent', json('POST', ORDER, oneCentMore), ['it is what was ordered, and its total is right'], ['checks']],
  ['a line and the total are wrong by a cent', json('POST', ORDER, oneCentMoreALine), ['it is what was ordered, and its total is right'], ['checks']],
  ['a line alone is wrong by a cent', json('POST', ORDER, oneCentMoreOnTheLastLine), ['it is what was ordered, and its total is right'], ['checks']],
  ['a line has a unit too many', json('POST', ORDER, (order) => ({ ...order, items: order.items.map((line) => ({ ...line, quantity: line.quantity + 1, unit_price: (line.unit_price * line.quantity) / (line.quantity + 1) })) })), ['it is what was ordered, and its total is right'], ['checks']],
  ['orders are forgotten', onlyOthers(async (call) => madeUp(call)), ['sent twice, it is one order', 'the order is cancelled'], ['checks', 'http_req_failed', 'orders_unaccounted', 'units_unaccounted']],
  ['keys are not known again', onlyOthers(withoutKey), ['sent twice, it is one order'], ['checks', 'orders_unaccounted', 'units_unaccounted']],
  ['what is sold out is sold', onlyFlash(async (call, ask) => { const sold = await ask(call); return sold.status === 409 ? madeUp(call) : sold; }), null, ['checks', 'orders_unaccounted', 'units_unaccounted']],
  ['the level of the flash sale ends below nothing', json('GET', STOCK, (stock) => ({ ...stock, stock_level: -2 })), [], ['units_oversold'], ({ units_oversold, flash_units_left }) => assert.deepEqual([units_oversold, flash_units_left], [2, -2])],
  ['more units are held than there were', json('GET', STOCK, (stock) => ({ ...stock, reserved: FLASH_UNITS + 1 })), [], ['units_oversold'], ({ units_oversold }) => assert.equal(units_oversold, 1)],
  ['what is short is refused for all', onlyOthers(async () => answer(409, {})), ['the order is placed, or there is too little'], ['checks', 'http_req_failed']],
  ['a cancellation is forgotten', answers('POST', `${AN_ORDER}/cancel`, async () => answer(200, { status: 'cancelled' })), [], ['units_unaccounted']],
  ['a cancellation is refused', answers('POST', `${AN_ORDER}/cancel`, async () => answer(409, {})), ['the order is cancelled'], ['checks', 'http_req_failed']],
  ['an order is cancelled, and says created', json('POST', `${AN_ORDER}/cancel`, (order) => ({ ...order, status: 'created' })), ['the order is cancelled'], ['checks', 'units_unaccounted']],
  ['an increase is forgotten', answers('POST', '/inventory/increase', async () => answer(200, { status: 'Stock updated' })), [], ['units_unaccounted']],
  ['an increase is not acknowledged', json('POST', '/inventory/increase', () => ({})), ['the stock is updated'], ['checks', 'units_unaccounted']],
  ['a page has one product too few', json('GET', '/products', (list) => list.slice(1)), ['a page of 20 products'], ['checks']],
  ['the list is an error, with its products', answers('GET', '/products', async (call, ask) => ({ ...(await ask(call)), status: 500 })), ['a page of 20 products'], ['checks', 'http_req_failed']],
  ['another product answers', json('GET', '/products/[^/]+', (product) => ({ ...product, id: `${product.id}0` })), ['the product asked for'], ['checks']],
  ['a product answers 203', answers('GET', '/products/[^/]+', async (call, ask) => ({ ...(await ask(call)), status: 203 })), ['the product asked for'], ['checks']],
  ['a product crashes', answers('GET', '/products/[^/]+', crash), ['the product asked for'], ['checks', 'http_req_failed']],
  ['everything is slow', after150Milliseconds, [], ['http_req_duration']],
];

for (const [what, fault, fails, breaks, alsoHolds] of ADVANCED) {
  test(`given ${what}, when the advanced test runs, then it fails and says so`, async () => {
    const env = { SCENARIO: 'smoke', FLASH_UNITS: String(FLASH_UNITS), RESULTS: results };
    const result = await runBroken(MAIN, fault, { scale: 0.05, random: random(), env });
    if (fails) assert.deepEqual(result.failed, fails, result.all);
    assert.deepEqual(result.broken, breaks, result.all);
    alsoHolds?.(Object.fromEntries(Object.entries(result.summary.metrics).map(([name, { values }]) => [name, values.count ?? values.value])));
  });
}

test('given the faults above, then each check and each threshold of the advanced test fails for one of them', async () => {
  const seen = new Set();
  const output = { add: ({ name, tags }) => name === 'checks' && seen.add(tags.check), close: () => {} };
  const { thresholds } = await optionsOf(MAIN, { env: { SCENARIO: 'smoke' } });
  await run(MAIN, { env: { ...shop.env, SCENARIO: 'smoke', RESULTS: results }, scale: 0.05, random: random(), output });
  assert.deepEqual([...seen].sort(), [...new Set(ADVANCED.flatMap(([, , fails]) => fails ?? []))].sort());
  assert.deepEqual(Object.keys(thresholds).sort(), [...new Set(ADVANCED.flatMap(([, , , breaks]) => breaks))].sort());
});

// What the advanced test does, as README.md tells it.

/** @returns every request of a run, as "METHOD /path body" */
async function requestsOf(options, env = {}) {
  const requests = [];
  const listen = async (call, ask) => {
    requests.push(`${call.method} ${call.path} ${call.body}`);
    return ask(call);
  };
  const { summary } = await runBroken(MAIN, listen, { scale: 0.05, env: { SCENARIO: 'smoke', RESULTS: results, ...env }, ...options });
  return { requests, summary };
}

test('given a stock of several pages, when the advanced test runs, then its books have each of them', async () => {
  let pages = 0;
  const inPages = answers('GET', '/inventory', (call, ask) => {
    pages++;
    return ask({ ...call, path: call.path.replace('limit=1000', 'limit=50') });
  });
  const { broken, summary } = await runBroken(MAIN, inPages, { scale: 0.05, random: random(), env: { SCENARIO: 'smoke', RESULTS: results } });
  assert.deepEqual(broken, []);
  assert.equal(summary.metrics.units_unaccounted.values.count, 0);
  assert.ok(pages >= 10, `${pages} pages of opening and closing books`);
});

test('given orders of others, one of them paid, and units that come back late, when the advanced test ends, then it waits for those units and no longer', async () => {
  const post = async (path, body) => (await fetch(shop.env.ORDER_URL + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })).json();
  const others = [];
  for (const quantity of [1, 2]) others.push(await post(ORDER, { customer_id: 'other', items: [{ product_id: 'prod_3', quantity }] }));
  assert.equal((await post(`${ORDER}/${others[0].order_id}/pay`)).status, 'paid');
  const comesBack = 5;
  let looks = 0;
  const late = answers('GET', '/metrics', async (call, ask) => {
    const figures = await ask(call);
    if (call.service !== 'inventory' || ++looks > comesBack) return figures;
    return { ...figures, body: figures.body.replace(/^(inventory_reservations_open{[^}]*}) (\d+)/m, (_, name, open) => `${name} ${Number(open) + 1}`) };
  });
  const { broken } = await runBroken(MAIN, late, { scale: 0.02, random: random(), env: { SCENARIO: 'smoke', RESULTS: results } });
  for (const { order_id } of others) await post(`${ORDER}/${order_id}/cancel`);
  assert.deepEqual(broken, []);
  assert.ok(looks > comesBack && looks < 30, `${looks} looks at the units that are held`);
});

test('given answers that are slow or ask to come back, when the advanced test runs, then its figures are those of its requests', async () => {
  const [placed, restocked, wait] = [new Set(), [], 200];
  const slow = onlyOthers(async (call, ask) => {
    await delay(wait);
    return ask(call);
  });
  const laterAndSlow = firstTries(1, async () => {
    await delay(wait);
    return comeLater();
  });
  const seen = async (call, ask) => {
    const answered = await (call.path === ORDER ? laterAndSlow(call, (asked) => slow(asked, ask)) : ask(call));
    if (answered.status === 201 && call.path === ORDER) placed.add(JSON.parse(answered.body).order_id);
    if (call.path === '/inventory/increase') restocked.push(JSON.parse(call.body).quantity_increased);
    return answered;
  };
  const { summary } = await runBroken(MAIN, seen, { scale: 0.05, random: random(), env: { SCENARIO: 'smoke', FLASH_UNITS: String(FLASH_UNITS), RESULTS: results } });
  const { orders_placed, orders_acknowledged, orders_short, units_restocked, order_duration } = summary.metrics;
  assert.deepEqual([orders_acknowledged.values.count, orders_placed.values.passes, orders_placed.values.fails, orders_short.values.count], [placed.size, placed.size, 2, 2]);
  assert.equal(units_restocked.values.count, restocked.reduce((sum, units) => sum + units));
  assert.ok(order_duration.values.med >= 2 * wait, `${order_duration.values.med} ms from the first try on`);
});

test('given chance, when the advanced test runs, then one of twenty buyers cancels, and all buy one to three of one to three products', async () => {
  const cancels = ({ requests }) => requests.filter((request) => request.includes('/cancel')).length;
  assert.equal(cancels(await requestsOf({ random: 0.051 })), 0);
  assert.ok(cancels(await requestsOf({ random: 0.049 })) > 10);
  for (const [random, lines, units] of [[0, 1, 1], [0.5, 2, 2], [0.999, 3, 3]]) {
    const { requests } = await requestsOf({ random });
    const bought = requests.filter((request) => request.startsWith('POST /orders {') && !isFlash({ body: request })).map((request) => JSON.parse(request.slice('POST /orders '.length)).items);
    assert.ok(bought.length > 10 && bought.every((items) => items.length === lines && items.every((item) => item.quantity === units)));
    const restocks = requests.filter((request) => request.startsWith('POST /inventory/increase ')).map((request) => JSON.parse(request.slice('POST /inventory/increase '.length)).quantity_increased);
    assert.ok(restocks.length > 5 && restocks.every((quantity) => quantity === 10 + Math.floor(random * 90)));
    const looks = requests.filter((request) => request.startsWith('GET /products/')).length / requests.filter((request) => request.startsWith('GET /products?limit=20')).length;
    assert.ok(looks > lines && looks < lines + 1, `${looks} looks of a browser, and one of each buyer`); // 40 browsers, 20 buyers
  }
});

test('given a shop that asks to come back in seven seconds, when the advanced test runs, then each order waits as long and is tried three times', async () => {
  const steps = new Map(); // of each user
  const note = (user, step) => steps.set(user, [...(steps.get(user) ?? []), step]);
  const comeInSeven = { status: 503, headers: { 'retry-after': '7' }, body: '{}', timings: {}, sent: 0, received: 0 };
  const options = {
    scale: 0.01, random: random(), env: { ...shop.env, SCENARIO: 'smoke', FLASH_UNITS: String(FLASH_UNITS), RESULTS: results },
    slept: (seconds, user) => note(user, seconds),
    send: async (request, onwards, user) => {
      if (request.method !== 'POST' || !request.url.endsWith(ORDER) || isFlash(request)) return onwards(request);
      note(user, request.headers['Idempotency-Key']);
      return comeInSeven;
    },
  };
  const { summary } = await run(MAIN, options);
  const buyers = [...steps.values()].filter((own) => own.some((step) => typeof step === 'string'));
  assert.ok(buyers.length > 2);
  for (const own of buyers) {
    for (let at = 0; at < own.length; at += 5) assert.deepEqual(own.slice(at, at + 5), [own[at], 7, own[at], 7, own[at]]);
  }
  assert.equal(summary.metrics.order_retries.values.count, buyers.flat().length / 5 * 2);
});

test('given a shop that is starting, when the advanced test begins, then it waits until each of its services is ready', async () => {
  const asked = new Map();
  const starting = answers('GET', '/health/ready', async (call, ask) => {
    asked.set(call.service, (asked.get(call.service) ?? 0) + 1);
    return asked.get(call.service) < 4 ? answer(503, { status: 'Unhealthy' }) : ask(call);
  });
  const { errors, broken, failed } = await runBroken(MAIN, starting, { scale: 0.02, env: { SCENARIO: 'smoke', RESULTS: results } });
  assert.deepEqual([errors, broken, failed], [[], [], []]);
  assert.deepEqual([...asked].sort(), [['inventory', 4], ['order', 4], ['product', 4]]);
});

test('given a shop that is never ready, when the advanced test begins, then it gives up after a minute', async () => {
  let asked = 0;
  const down = answers('GET', '/health/ready', async () => {
    asked++;
    return answer(503, { status: 'Unhealthy' });
  });
  await assert.rejects(runBroken(MAIN, down, { scale: 0.001, env: { SCENARIO: 'smoke', RESULTS: results } }), /was not ready within a minute/);
  assert.equal(asked, 61);
});

test('given the popularity of products, then it follows the law of Zipf over those that are well in stock', async () => {
  const { pickPopular } = await import('../advanced/src/popularity.js');
  const harmonic = (count) => Array.from({ length: count }, (_, rank) => 1 / (rank + 1)).reduce((sum, share) => sum + share);
  const chance = Math.random;
  try {
    // Each place of a fine grid in turn: the shares of the products, without luck.
    const grid = 100_000;
    const picked = new Map();
    for (let place = 0; place < grid; place++) {
      Math.random = () => (place + 0.5) / grid;
      const id = pickPopular();
      picked.set(id, (picked.get(id) ?? 0) + 1);
    }
    assert.equal(picked.size, 190);
    for (let rank = 1; rank <= 190; rank++) {
      const share = 1 / rank / harmonic(190);
      assert.ok(Math.abs(picked.get(`prod_${rank - 1}`) / grid - share) < 2 / grid, `prod_${rank - 1}`);
    }
  } finally {
    Math.random = chance;
  }
});

test('given the figures of a run, when it ends, then they are told by their names, with what is broken', async () => {
  globalThis.__ENV = { SCENARIO: 'smoke', RESULTS: 'there' };
  const { report } = await import('../advanced/src/summary.js');
  const count = (number) => ({ values: { count: number, rate: number / 8 } });
  const trend = (base) => ({ values: { avg: base + 9, min: base, med: base + 1, max: base + 4, 'p(90)': base + 8, 'p(95)': base + 2, 'p(99)': base + 3 } });
  const metrics = {
    http_reqs: count(1234), http_req_duration: { ...trend(10), thresholds: { 'p(95)<100': { ok: true } } }, order_duration: trend(100),
    http_req_failed: { values: { rate: 0.0125, passes: 1, fails: 79 }, thresholds: { 'rate<0.001': { ok: false } } }, checks: { values: { rate: 0.9975 } },
    orders_acknowledged: count(41), orders_unaccounted: count(-2), units_unaccounted: count(7), units_oversold: count(3), orders_short: count(11),
    order_retries: count(5), orders_replayed: count(4), dropped_iterations: count(6),
  };
  const files = report({ metrics, state: { testRunDurationMs: 20_400 } });
  const told = [
    ['Requests', '1234, 154.3 a second'], ['Answers', 'med 11.0 ms, p(95) 12.0 ms, p(99) 13.0 ms, max 14.0 ms'], ['Failed requests', '1.25 %'], ['Checks passed', '99.75 %'],
    ['Orders acknowledged', '41'], ['Orders that the shop has more (+) or less (-) than k6', '2'], ['Units that the shop has more (+) or less (-) than k6', '-7'],
    ['Units of the flash sale sold beyond stock', '3'], ['Orders refused for want of stock', '11'], ['Orders tried again; answered from the first try', '5; 4'],
    ['Time to place an order', 'med 101.0 ms, p(95) 102.0 ms, p(99) 103.0 ms, max 104.0 ms'], ['Arrivals that k6 had no user for', '6'],
  ];
  assert.deepEqual(files.stdout.trim().split('\n').map((line) => line.trim().split(/ {2,}/)), [
    ['smoke: A THRESHOLD IS BROKEN'], [''], ...told, [''], ['holds', 'http_req_duration p(95)<100'], ['BROKEN', 'http_req_failed rate<0.001'],
  ]);
  const page = files['there/smoke.html'];
  assert.deepEqual([...page.matchAll(/<tr><th scope="row">(.*?)<\/th><td>(.*?)<\/td><\/tr>/g)].map(([, what, figure]) => [what, figure]), told);
  assert.deepEqual([...page.matchAll(/<tr class="(\w+)"><th scope="row">(.*?)<\/th><td>(.*?)<\/td><\/tr>/g)].map(([, ...row]) => row), [
    ['good', 'http_req_duration p(95)&lt;100', 'holds'], ['bad', 'http_req_failed rate&lt;0.001', 'broken'],
  ]);
  assert.match(page, /<p class="bad">A threshold is broken\.<\/p>/);
  assert.match(page, /Z, 20 s\.<\/p>/);
  assert.deepEqual(JSON.parse(files['there/smoke.json']).metrics, metrics);
});

// What the scripts do where all is well.

const README_ADDRESSES = { PRODUCT_URL: 'http://localhost:5001', ORDER_URL: 'http://localhost:5002', INVENTORY_URL: 'http://localhost:5003' };

/** A run without addresses: what is asked, with the names by which k6 tells it, and the pauses. */
async function watch(script, options) {
  const [asked, names, pauses] = [[], new Set(), []];
  const send = (request, onwards, user) => {
    const at = Object.keys(README_ADDRESSES).find((name) => request.url.startsWith(`${README_ADDRESSES[name]}/`));
    assert.ok(at, request.url);
    asked.push({ ...request, user, path: request.url.slice(README_ADDRESSES[at].length) });
    return onwards({ ...request, url: request.url.replace(README_ADDRESSES[at], shop.env[at]) });
  };
  const output = { add: ({ name, tags }) => name === 'http_reqs' && names.add(tags.name.replace(/^http:\/\/localhost:(\d+)/, '$1 ')), close: () => {} };
  const { errors, failures } = await run(script, { scale: 0.02, ...options, env: { ...options.env }, send, output, slept: (seconds) => pauses.push(seconds) });
  assert.deepEqual([errors, failures], [[], []]);
  return { asked, names: [...names].sort(), pauses };
}

const STEPS = ['cancel', 'deliver', 'pay', 'ship'].map((step) => `/orders/{order_id}/${step}`);
for (const [script, options, names, pauses, seconds] of [
  [PRODUCTS, { iterations: 3 }, ['/products/{id}', '5001 /products', '5001 /products?limit=20'], [0.5, 0.5, 0.5], ['60s']],
  [ORDERS, { iterations: 3 }, ['/orders/{order_id}', ...STEPS.slice(1), '5002 /orders'], [0.5, 0.5, 0.5], ['60s']],
  [INVENTORY, { iterations: 3 }, ['/inventory/{product_id}', '/inventory/{product_id}/movements', '5003 /inventory/decrease', '5003 /inventory/increase'], [0.5, 0.5, 0.5], ['60s']],
  [FLOW, { iterations: 3 }, ['/inventory/{product_id}', '/inventory/{product_id}/movements', '/orders/{order_id}/events', ...STEPS.slice(1), '/products/{id}', '5001 /categories', '5001 /products?category=Home&sort=price&limit=10', '5002 /orders'], [0.2, 0.5, 0.2, 0.5, 0.2, 0.5], ['60s']],
  [MAIN, { env: { SCENARIO: 'smoke' } }, ['/health/ready', '/inventory', '/inventory/increase', '/inventory/{product_id}', '/metrics', '/orders', STEPS[0], '/products', '/products/{id}'], undefined, ['5s', '60s']],
]) {
  test(`given no addresses, when ${path.basename(script, '.js')} runs, then it asks the ports of README.md, by few names, and with pauses`, async () => {
    const env = { ...options.env, RESULTS: results };
    const watched = await watch(script, { ...options, random: random(), env });
    assert.deepEqual(watched.names, names.toSorted());
    if (pauses) assert.deepEqual(watched.pauses, pauses);
    assert.deepEqual([...new Set(watched.asked.map(({ timeout }) => timeout))].sort(), seconds);
    const inTime = watched.asked.filter(({ timeout }) => timeout === '5s').map(({ method, path }) => `${method} ${path}`);
    if (script === MAIN) assert.deepEqual([...new Set(inTime)].sort(), ['GET /health/ready', 'POST /orders'], 'an answer of these is waited for five seconds');
    // A change is made on the condition that nobody else has made one.
    const changes = watched.asked.filter(({ method }) => method === 'PUT');
    assert.deepEqual(changes.map(({ headers }) => typeof headers['If-Match']), script === PRODUCTS ? ['string', 'string', 'string'] : []);
  });
}

test('given chance, when the simple scripts run, then they want products that are well in stock, and now and then change the catalogue', async () => {
  const wanted = ({ asked }) => [...new Set(asked.flatMap(({ path, body }) => `${path} ${body}`.match(/prod_1?\d{1,2}\b/g) ?? []))].filter((id) => id !== 'prod_199').sort();
  for (const [chance, ids] of [[0, ['prod_0', 'prod_95']], [0.9999, ['prod_189', 'prod_94']]]) {
    assert.deepEqual(wanted(await watch(PRODUCTS, { iterations: 1, random: chance })), ids.slice(0, 1));
    assert.deepEqual(wanted(await watch(INVENTORY, { iterations: 1, random: chance })), ids.slice(0, 1));
    assert.deepEqual(wanted(await watch(ORDERS, { iterations: 1, random: chance })), ids);
    const [id, ...others] = wanted(await watch(FLOW, { iterations: 1, random: chance }));
    assert.ok(others.length === 0 && !id.startsWith('prod_19'), id);
  }
  const units = ({ asked }) => asked.filter(({ path }) => path === '/inventory/increase').map(({ body }) => JSON.parse(body).quantity_increased);
  assert.deepEqual(units(await watch(INVENTORY, { iterations: 1, random: 0.654321 })), [654322], 'units unlike those of others');
  const writes = ({ asked }) => asked.filter(({ method }) => method !== 'GET').length;
  assert.deepEqual([writes(await watch(PRODUCTS, { iterations: 1, random: 0.049 })), writes(await watch(PRODUCTS, { iterations: 1, random: 0.051 }))], [3, 0]);
});

test('given a flash sale that is sold out, when a customer comes afterwards, then the sold out product is none that is offered', async () => {
  await watch(MAIN, { random: random(), env: { SCENARIO: 'smoke', FLASH_UNITS: '1', RESULTS: results } });
  for (const chance of [0, 0.9999]) await watch(FLOW, { iterations: 1, random: chance });
});

test('given users whose clocks stand still, when they order, then no key is that of another order, nor of a run before', async () => {
  for (const [script, sent] of [[ORDERS, 2], [FLOW, 2], [MAIN, 1]]) {
    const keys = new Map();
    for (const now of [1790000000000, 1790000000001]) {
      const { asked } = await watch(script, { now, random: random(), env: { SCENARIO: 'smoke', RESULTS: results } });
      const orders = new Map();
      for (const { path, headers, body, user } of asked) {
        const key = headers['Idempotency-Key'];
        if (path === ORDER && key) orders.set(key, [...(orders.get(key) ?? []), `${user} ${body}`]);
      }
      assert.ok(new Set([...orders.values()].map(([order]) => order.split(' ')[0])).size > 3, 'several users');
      for (const [key, tries] of orders) {
        assert.ok(!keys.has(key), key);
        keys.set(key, now);
        assert.deepEqual([new Set(tries).size, tries.length <= 2 && tries.length >= sent], [1, true], key);
      }
    }
  }
});

test('given no scenario and no stock of the flash sale, when the advanced test runs, then it is a usual day with a hundred units', async () => {
  const of = async (env) => (await optionsOf(MAIN, { env })).scenarios;
  assert.deepEqual(await of({}), await of({ SCENARIO: 'average' }));
  const { asked } = await watch(MAIN, { random: random(), env: { SCENARIO: 'smoke', RESULTS: results } });
  const [made, ...others] = asked.filter(({ method, path }) => method === 'POST' && path === '/products').map(({ body }) => JSON.parse(body));
  assert.deepEqual([made.initial_stock, others], [100, []]);
  globalThis.__ENV = {};
  const { report } = await import('../advanced/src/summary.js?by-default');
  assert.deepEqual(Object.keys(report({ metrics: {} })), ['stdout', 'results/average.json', 'results/average.html']);
});

test('given TRACES, when the advanced test orders, then every try of an order has the same trace, and that share of the orders is recorded', async () => {
  const headersOf = async (env, chance) => {
    const { asked } = await watch(MAIN, { random: chance, env: { SCENARIO: 'smoke', RESULTS: results, ...env } });
    return asked.filter(({ method, path }) => method === 'POST' && path === ORDER).map(({ headers }) => headers);
  };
  assert.ok((await headersOf({ TRACES: '0' })).every((headers) => !('traceparent' in headers)));
  for (const [chance, flag] of [[0.249, '01'], [0.251, '00']]) {
    const sent = await headersOf({ TRACES: '0.25' }, chance);
    assert.ok(sent.length > 3 && sent.every(({ traceparent }) => new RegExp(`^00-[0-9a-f]{32}-[0-9a-f]{16}-${flag}$`).test(traceparent)));
  }
  const traces = new Map();
  for (const headers of await headersOf({ TRACES: '1' })) {
    const key = headers['Idempotency-Key'];
    assert.equal(traces.get(key) ?? headers.traceparent, headers.traceparent);
    traces.set(key, headers.traceparent);
  }
  const ids = [...traces.values()].map((traceparent) => traceparent.split('-')[1]);
  assert.ok(ids.length > 3 && new Set(ids).size === ids.length, 'a trace of its own for each order');
});

// What the scripts promise, as README.md tells it.

for (const [script, users, length] of [[PRODUCTS, 20, '25s'], [ORDERS, 20, '25s'], [INVENTORY, 20, '25s'], [FLOW, 10, '30s']]) {
  test(`given ${path.basename(script, '.js')}, then its users come, stay and go in half a minute, and its thresholds are those that README.md tells`, async () => {
    const { stages, thresholds } = await optionsOf(script);
    assert.deepEqual(thresholds, GOOD);
    assert.deepEqual(stages.map(({ target }) => target), [users, users, 0]);
    assert.deepEqual(stages.map(({ duration }) => duration), length === '25s' ? ['5s', '15s', '5s'] : ['5s', '20s', '5s']);
  });
}

const slower = (millis) => ({ ...BOOKS, ...GOOD, http_req_duration: [`p(95)<${millis}`] });
const aborting = (threshold) => [{ threshold, abortOnFail: true, delayAbortEval: '10s' }];
for (const [scenario, stages, flash, thresholds] of [
  ['smoke', [['20s', 2, 1]], [5, '10s'], slower(100)],
  ['average', [['30s', 100, 50], ['3m', 100, 50], ['30s', 0, 0]], [200, '2m'], slower(100)],
  ['stress', [['1m', 400, 300], ['4m', 400, 300], ['1m', 0, 0]], [500, '3m'], slower(500)],
  ['spike', [['30s', 50, 20], ['10s', 800, 500], ['1m', 800, 500], ['10s', 50, 20], ['1m', 50, 20]], [500, '1m'], { ...slower(1000), http_req_failed: ['rate<0.01'] }],
  ['soak', [['1m', 100, 50], ['1h', 100, 50], ['1m', 0, 0]], [200, '30m'], slower(100)],
  ['breakpoint', [['10m', 5000, 5000]], [500, '1m'], { ...BOOKS, http_req_duration: aborting('p(95)<500'), http_req_failed: aborting('rate<0.05') }],
]) {
  test(`given the scenario ${scenario}, then its load, its length and its thresholds are those that README.md tells`, async () => {
    const { scenarios, thresholds: own, ...others } = await optionsOf(MAIN, { env: { SCENARIO: scenario, TESTID: '' } });
    assert.match(others.tags.testid, new RegExp(`^${scenario}-\\d{8}T\\d{6}Z$`));
    const { browsers, buyers, restockers, flash_sale } = scenarios;
    const isFromBelow = scenario === 'breakpoint';
    assert.deepEqual(own, thresholds);
    assert.deepEqual(browsers.stages, stages.map(([duration, target]) => ({ duration, target })));
    assert.deepEqual(buyers.stages, stages.map(([duration, , target]) => ({ duration, target })));
    assert.deepEqual(restockers.stages, stages.map(([duration, , target]) => ({ duration, target: Math.min(target, 2) })));
    assert.deepEqual([browsers, buyers].map(({ startRate }) => startRate), isFromBelow ? [0, 0] : [stages[0][1], stages[0][2]]);
    assert.deepEqual([browsers, buyers, restockers].map(({ exec, executor, timeUnit }) => [exec, executor, timeUnit]), ['browse', 'buy', 'restock'].map((exec) => [exec, 'ramping-arrival-rate', '1s']));
    assert.ok([browsers, buyers].every(({ maxVUs, stages }) => maxVUs >= Math.min(2000, 5 * Math.max(...stages.map(({ target }) => target)))), 'as many users as slow answers may need');
    assert.deepEqual([browsers, buyers].map(({ maxVUs }) => maxVUs <= 2000), [true, true], 'what the container of k6 has memory for');
    // Setup waits for a shop that starts for up to a minute, and teardown half a minute for what comes back.
    assert.deepEqual([others.setupTimeout, others.teardownTimeout], ['2m', '2m']);
    assert.deepEqual(flash_sale, { executor: 'per-vu-iterations', exec: 'flashSale', vus: flash[0], iterations: 1, startTime: flash[1], maxDuration: '1m' });
  });
}

test('given the table of scenarios in README.md, then its times and rates are those of the scripts', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const rows = [...readme.matchAll(/^\| `(\w+)`(?: \(default\))? \| [^|]* \| ([^|]*) \| ([^|]*) \|$/gm)].map(([, ...row]) => row);
  assert.deepEqual(rows.map(([name]) => name), ['smoke', 'average', 'stress', 'spike', 'soak', 'breakpoint']);
  const UNITS = { s: 1, min: 60, m: 60, h: 3600 };
  const seconds = (text) => [...text.matchAll(/(\d+) ?(s|min|m|h)\b/g)].reduce((sum, [, number, unit]) => sum + number * UNITS[unit], 0);
  for (const [name, time, told] of rows) {
    const { browsers, buyers } = (await optionsOf(MAIN, { env: { SCENARIO: name } })).scenarios;
    const lasts = browsers.stages.reduce((sum, { duration }) => sum + seconds(duration), 0);
    assert.ok(Math.abs(seconds(time) / lasts - 1) < 0.06, `${name}: ${time}`); // an hour and its ramps
    const numbers = told.replaceAll(',', '').match(/\d+/g).map(Number);
    const rates = browsers.stages.flatMap(({ target }, at) => [target, buyers.stages[at].target]).filter((rate) => rate > 0);
    assert.deepEqual(new Set(numbers), new Set(rates), `${name}: ${told}`);
    assert.deepEqual(numbers.slice(0, 2), [browsers, buyers].map(({ stages }) => stages[0].target), `${name}: ${told}`);
  }
});

/** @returns what failed of the checks, and which thresholds are broken; time counts only if the fault is that */
async function runBroken(script, fault, options) {
  const broken = await breakShop(shop.env, fault);
  try {
    const result = await run(script, { scale: 0.02, ...options, env: { ...broken.env, ...options.env } });
    const failed = result.failures.map(([what]) => what).filter((what) => !/^[A-Z]+ .*: \d+$/.test(what)).sort();
    const isSlow = fault === after150Milliseconds;
    const all = JSON.stringify({ failures: result.failures, errors: result.errors.map(String), broken: result.broken });
    return { ...result, failed, all, broken: result.broken.map(({ name }) => name).filter((name) => isSlow || name !== 'http_req_duration').sort() };
  } finally {
    await broken.stop();
  }
}
