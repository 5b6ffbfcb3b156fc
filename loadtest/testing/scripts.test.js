// The scripts, run against the real shop. They must hold where all is well, and must not where it isn't.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { RemoteWrite } from './remote-write.js';
import { run } from './runner.js';
import { metric, startShop } from './shop.js';

const script = (name) => new URL(`../${name}`, import.meta.url).pathname;
const FLOW = script('simple/src/scenarios/full_user_flow_test.js');
const MAIN = script('advanced/src/main.js');

let shop;
let results;

before(async () => {
  shop = await startShop();
  results = mkdtempSync(path.join(tmpdir(), 'shop-results-'));
});

after(async () => {
  await shop.stop();
  rmSync(results, { recursive: true });
});

/** What does not depend on how fast the machine is. */
const wrong = ({ broken, errors, failures }) => ({ broken: broken.filter(({ name }) => name !== 'http_req_duration'), errors, failures });

for (const name of ['product_service_test', 'order_service_test', 'inventory_service_test', 'full_user_flow_test']) {
  test(`given a shop, when ${name} runs, then every check and threshold holds`, async () => {
    const result = await run(script(`simple/src/scenarios/${name}.js`), { env: shop.env, scale: 0.15 });
    assert.deepEqual(wrong(result), { broken: [], errors: [], failures: [] });
    assert.ok(result.summary.metrics.checks.values.passes > 100, 'it did something');
  });
}

test('given nobody listens, when a script runs, then its thresholds are broken', async () => {
  const nowhere = 'http://127.0.0.1:1';
  const { broken } = await run(script('simple/src/scenarios/inventory_service_test.js'), { env: { INVENTORY_URL: nowhere }, scale: 0.02 });
  assert.ok(broken.some(({ name }) => name === 'http_req_failed'));
});

test('given the wrong service at an address, when a script runs, then it does not pass', async () => {
  // The inventory service knows no catalogue.
  const { errors, broken } = await run(FLOW, { env: { ...shop.env, PRODUCT_URL: shop.env.INVENTORY_URL }, scale: 0.02 });
  assert.ok(errors.length > 0 || broken.some(({ name }) => name === 'checks'));
});

test('given a shop, when the advanced test runs, then the books agree, and the results are written for machines and readers', async () => {
  const before = await metric(shop.env.ORDER_URL, 'orders_created_total');
  const result = await run(MAIN, { env: { ...shop.env, SCENARIO: 'smoke', RESULTS: results }, scale: 0.5 });
  assert.deepEqual(wrong(result), { broken: [], errors: [], failures: [] });

  const { metrics } = JSON.parse(readFileSync(path.join(results, 'smoke.json'), 'utf8'));
  const created = (await metric(shop.env.ORDER_URL, 'orders_created_total')) - before;
  assert.ok(created > 0);
  assert.equal(metrics.orders_acknowledged.values.count, created);
  // What the summary tells of times must be in it: k6 has no p(99) unless the script asks for it.
  const times = [...result.files.stdout.matchAll(/p\(95\) ([\d.]+) ms, p\(99\) ([\d.]+) ms, max ([\d.]+) ms/g)].map((row) => row.slice(1).map(Number));
  assert.ok(times.length === 2 && times.every(([p95, p99, max]) => p95 > 0 && p95 <= p99 && p99 <= max), result.files.stdout);
  assert.match(readFileSync(path.join(results, 'smoke.html'), 'utf8'), /All thresholds hold/);
  assert.match(result.files.stdout, /smoke: all thresholds hold/);
});

test('given someone else orders meanwhile, when the advanced test runs, then the books disagree and the run fails', async () => {
  const running = run(MAIN, { env: { ...shop.env, SCENARIO: 'smoke', RESULTS: results }, scale: 0.3 });
  // The books are open once the load orders.
  const opened = await metric(shop.env.ORDER_URL, 'orders_created_total');
  let isOver = false;
  const over = () => (isOver = true);
  running.then(over, over);
  while (!isOver && (await metric(shop.env.ORDER_URL, 'orders_created_total')) === opened) await fetch(shop.env.ORDER_URL);
  const order = { customer_id: 'a stranger', items: [{ product_id: 'prod_0', quantity: 7 }] };
  const headers = { 'Content-Type': 'application/json' };
  assert.equal((await fetch(`${shop.env.ORDER_URL}/orders`, { method: 'POST', headers, body: JSON.stringify(order) })).status, 201);

  const { broken, summary, files } = await running;
  assert.deepEqual(broken.map(({ name }) => name).filter((name) => name.endsWith('unaccounted')).sort(), ['orders_unaccounted', 'units_unaccounted']);
  assert.equal(summary.metrics.orders_unaccounted.values.count, -1);
  assert.equal(summary.metrics.units_unaccounted.values.count, 7);
  assert.match(files.stdout, /BROKEN {2}orders_unaccounted/);
});

test('given no Prometheus takes what is written to it, when a script runs, then the run fails and says so', async () => {
  const output = new RemoteWrite({ K6_PROMETHEUS_RW_SERVER_URL: `${shop.env.ORDER_URL}/no-receiver` });
  await assert.rejects(run(script('simple/src/scenarios/inventory_service_test.js'), { env: shop.env, scale: 0.02, output }), /no-receiver: 404/);
});

test('given an unknown scenario, when the advanced test starts, then it says which there are', async () => {
  await assert.rejects(run(MAIN, { env: { ...shop.env, SCENARIO: 'flood' } }), /must be one of smoke, average, stress, spike, soak, breakpoint/);
});

test('given a flash sale, when more want it than there is, then it is sold out to the unit and nobody gets more', async () => {
  const result = await run(MAIN, { env: { ...shop.env, SCENARIO: 'smoke', FLASH_UNITS: '3', RESULTS: results }, scale: 0.1 });
  const { metrics } = result.summary;
  assert.equal(metrics.flash_units_left.values.value, 0);
  assert.equal(metrics.orders_short.values.count, 2);
  assert.equal(metrics.units_oversold.values.count, 0);
});

test('given the smoke scenario, when it is written to Prometheus, then by the names, with the labels and as often as a real k6 does', async () => {
  const real = JSON.parse(readFileSync(new URL('k6-remote-write.json', import.meta.url), 'utf8')).series;
  const pushes = [];
  const output = new RemoteWrite({ K6_PROMETHEUS_RW_TREND_STATS: 'p(95),max', K6_PROMETHEUS_RW_PUSH_INTERVAL: '1s' }, (series) => pushes.push(series));
  assert.deepEqual(wrong(await run(MAIN, { env: { ...shop.env, SCENARIO: 'smoke', TESTID: 'this one', RESULTS: results }, output })).errors, []);

  const key = (labels) => JSON.stringify(Object.entries(labels).sort());
  const written = new Map();
  for (const { labels, value, time } of pushes.flat()) {
    const { testid, ...others } = Object.fromEntries(labels);
    assert.equal(testid, 'this one', labels.join(' '));
    assert.ok(Number.isFinite(value), labels.join(' '));
    const times = written.get(key(others)) ?? written.set(key(others), []).get(key(others));
    assert.ok(!(time <= times.at(-1)), `sent again, with nothing new: ${labels.join(' ')}`);
    times.push(time);
  }

  // One of twenty buyers cancels, so there may be none.
  const maybe = (labels) => labels.includes('cancel');
  // What the scripts check since that k6 ran them is told like the check beside it.
  const since = ['it is what was ordered, and its total is right', 'sent twice, it is one order'];
  const beside = real.filter(({ labels }) => labels.check === 'the order is placed, or there is too little');
  assert.equal(beside.length, 2, 'buyers and the flash sale');
  real.push(...since.flatMap((check) => beside.map(({ labels, seconds }) => ({ labels: { ...labels, check }, seconds }))));
  const expected = real.map(({ labels }) => key(labels));
  assert.deepEqual(expected.filter((labels) => !written.has(labels) && !maybe(labels)), []);
  assert.deepEqual([...written.keys()].filter((labels) => !expected.includes(labels) && !maybe(labels)), []);
  // Few orders are sent twice, so this check is told now and then.
  const seldom = (labels) => labels.check === 'sent twice, it is one order';
  for (const { labels, seconds } of real) {
    const times = written.get(key(labels));
    // Setup and the flash sale are told once, or twice if a push comes in the middle of them; teardown may wait for what a
    // cancelled order gives back.
    if (seconds.length === 1 && times && !maybe(key(labels)) && labels.group !== '::teardown') assert.ok(times.length <= 2, key(labels));
    if (seconds.length > 10 && !seldom(labels)) assert.ok(times.length > 5 && times.length <= pushes.length, key(labels)); // told as it changes
  }
});
