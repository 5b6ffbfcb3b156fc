// Runs a k6 script on Node, for tests of the script: real HTTP to a real shop, k6's own order of things (setup, scenarios, teardown,
// thresholds, handleSummary), and nothing of k6's speed. What a script uses and this does not have is an error, never ignored.

import { mkdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { MessageChannel, Worker } from 'node:worker_threads';
import { Metrics } from './metrics.js';

const agent = new http.Agent({ keepAlive: true });
const EXECUTORS = { 'ramping-vus': rampUsers, 'ramping-arrival-rate': rampArrivals, 'per-vu-iterations': iterateEach };

/**
 * @param {string} script its path
 * @param {{ env?: Record<string, string>, scale?: number, iterations?: number, random?: number, now?: number, output?: import('./remote-write.js').RemoteWrite,
 *   send?: (request: any, onwards: (request: any) => Promise<any>, user: number) => Promise<any>, slept?: (seconds: number, user: number) => void }} [options]
 *   scale: how long a second of the script's lasts; iterations: one user makes so many, as with k6 run --iterations; random: what Math.random gives the script;
 *   now: the time that the script's clock shows, for ever; output: gets each sample, too; send: gets each request, and sends it onwards; slept: told of each pause
 */
export async function run(script, { env = {}, scale = 1, iterations, random, now, output, send: toShop, slept } = {}) {
  const test = new Test(script, { env, scale, random, now, output, send: toShop, slept });
  try {
    return await runThrough(test, iterations);
  } finally {
    await test.close();
  }
}

/** The options of a script, with nothing run. */
export async function optionsOf(script, { env = {} } = {}) {
  const test = new Test(script, { env });
  try {
    return (await test.user()).script.options;
  } finally {
    await test.close();
  }
}

async function runThrough(test, iterations) {
  const host = await test.user();
  const { options, functions } = host.script;
  test.tags = options.tags ?? {};
  const { scenarios: own = { default: { executor: 'ramping-vus', startVUs: 1, stages: options.stages } }, thresholds = {} } = options;
  const scenarios = iterations ? { default: { executor: 'per-vu-iterations', vus: 1, iterations } } : own;

  const data = functions.includes('setup') ? await host.run('setup', undefined, { group: '::setup' }) : undefined;
  const start = performance.now();
  test.abortWhenBroken(thresholds, start);
  test.every(1000 * test.scale, () => test.countUsers());
  await Promise.all(
    Object.entries(scenarios).map(async ([name, scenario]) => {
      const execute = EXECUTORS[scenario.executor];
      if (!execute) throw new Error(`the stand-in has no executor ${scenario.executor}`);
      await test.pause(milliseconds(scenario.startTime ?? '0s'));
      await execute(test, scenario, () => ({ run: scenario.exec ?? 'default', data, tags: { scenario: name } }));
    }),
  );
  test.countUsers();
  const seconds = (performance.now() - start) / 1000;
  if (functions.includes('teardown')) await host.run('teardown', data, { group: '::teardown' });
  await test.output?.close();

  const summary = test.metrics.summary(thresholds, seconds, options.summaryTrendStats);
  const files = functions.includes('handleSummary') ? await host.run('handleSummary', summary) : {};
  for (const [file, text] of Object.entries(files)) {
    if (file === 'stdout') continue;
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return { summary, files, broken: test.metrics.verdicts(thresholds).filter(({ ok }) => !ok), errors: test.errors, failures: test.metrics.failures };
}

class Test {
  metrics = new Metrics();
  errors = [];
  isAborted = false;
  tags = {};
  #busy = 0;
  #users = [];
  #timers = [];

  constructor(script, { env, scale = 1, random, now, output, send: toShop = (request, onwards) => onwards(request), slept = () => {} }) {
    this.script = pathToFileURL(path.resolve(script)).href;
    this.env = env;
    this.scale = scale;
    this.random = random;
    this.now = now;
    this.output = output;
    this.send = toShop;
    this.slept = slept;
  }

  async user() {
    const user = new User(this, this.#users.length + 1);
    this.#users.push(user);
    await user.ready;
    return user;
  }

  pause(duration) {
    return delay(duration * this.scale);
  }

  /** One iteration; an error in it is reported, and the user goes on, as in k6. */
  async iterate(user, { run, data, tags }) {
    this.#busy++;
    try {
      await user.run(run, data, tags);
      this.add({ name: 'iterations', type: 'counter', value: 1, tags });
    } catch (error) {
      this.errors.push(error);
    } finally {
      this.#busy--;
    }
  }

  add(sample) {
    const tagged = { ...sample, tags: { ...this.tags, ...sample.tags } };
    this.metrics.add(tagged);
    this.output?.add(tagged);
  }

  countUsers() {
    this.add({ name: 'vus', type: 'gauge', value: this.#busy });
    this.add({ name: 'vus_max', type: 'gauge', value: this.#users.length });
  }

  every(duration, work) {
    this.#timers.push(setInterval(work, duration));
  }

  abortWhenBroken(thresholds, start) {
    const rules = Object.values(thresholds).flat().filter((rule) => rule.abortOnFail);
    if (rules.length === 0) return;
    const wait = Math.max(...rules.map((rule) => milliseconds(rule.delayAbortEval ?? '0s'))) * this.scale;
    this.every(100, () => {
      if (performance.now() - start > wait) this.isAborted = this.metrics.verdicts(thresholds).some(({ ok, isAborting }) => isAborting && !ok);
    });
  }

  async close() {
    this.#timers.forEach(clearInterval);
    await Promise.all(this.#users.map((user) => user.close()));
    agent.destroy();
  }
}

class User {
  #worker;
  #signal = new Int32Array(new SharedArrayBuffer(4));
  #answers = new MessageChannel();
  #waiting = withResolvers();

  constructor(test, id) {
    this.test = test;
    this.id = id;
    this.ready = this.#waiting.promise;
    this.#worker = new Worker(new URL('./user.js', import.meta.url), {
      execArgv: ['--import', new URL('./register.js', import.meta.url).href],
      workerData: { script: test.script, id, env: test.env, scale: test.scale, random: test.random, now: test.now, signal: this.#signal, answers: this.#answers.port2 },
      transferList: [this.#answers.port2],
    });
    this.#worker.on('message', (message) => this.#hear(message));
    this.#worker.on('error', (error) => this.#waiting.reject(error));
  }

  run(name, data, tags) {
    this.#waiting = withResolvers();
    this.#worker.postMessage({ run: name, data, tags });
    return this.#waiting.promise;
  }

  async close() {
    this.#answers.port1.close();
    await this.#worker.terminate();
  }

  /** A request that can't be sent is an error of the run, and has no answer: else the script would wait for ever. */
  async #ask(request) {
    try {
      return await this.test.send(request, send, this.id);
    } catch (error) {
      this.test.errors.push(error);
      return { status: 0, headers: {}, body: null, error: error.message, timings: {}, sent: 0, received: 0 };
    }
  }

  async #hear({ sample, sleep, request, ready, done }) {
    if (sample) this.test.add(sample);
    if (sleep !== undefined) this.test.slept(sleep, this.id);
    if (request) {
      this.#answers.port1.postMessage(await this.#ask(request));
      Atomics.store(this.#signal, 0, 1);
      Atomics.notify(this.#signal, 0);
    }
    if (ready) {
      this.script = ready;
      this.#waiting.resolve(this);
    }
    if (done?.error) this.#waiting.reject(new Error(done.error));
    else if (done) this.#waiting.resolve(done.result);
  }
}

function send({ method, url, body, headers, timeout }) {
  const at = { start: performance.now() };
  const before = { read: 0, written: 0 };
  return new Promise((resolve) => {
    let socket;
    const end = (answer) => resolve({ headers: {}, body: null, status: 0, timings: timings(at), ...bytes(socket, before), ...answer });
    const length = body === null ? {} : { 'Content-Length': Buffer.byteLength(body) };
    const request = http.request(url, { method, agent, headers: { ...headers, ...length }, timeout: milliseconds(timeout) }, (response) => {
      at.answer = performance.now();
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => end({ status: response.statusCode, proto: `HTTP/${response.httpVersion}`, headers: response.headers, body: Buffer.concat(chunks).toString() }));
      response.on('error', (error) => end({ error: error.message }));
    });
    request.on('socket', (given) => {
      socket = given;
      at.socket = performance.now();
      [before.read, before.written] = [socket.bytesRead, socket.bytesWritten];
      if (socket.connecting) socket.once('connect', () => (at.connect = performance.now()));
    });
    request.on('finish', () => (at.sent = performance.now()));
    request.on('timeout', () => request.destroy(new Error('request timeout')));
    request.on('error', (error) => end({ error: error.message, isTimeout: error.message === 'request timeout' }));
    request.end(body ?? undefined);
  });
}

/** The parts of a request's time as k6 tells them; its duration is without the connection. */
function timings({ start, socket = start, connect = socket, sent = connect, answer = sent }) {
  const now = performance.now();
  const parts = { blocked: socket - start, connecting: connect - socket, tls_handshaking: 0, sending: Math.max(0, sent - connect), waiting: Math.max(0, answer - Math.max(sent, connect)), receiving: now - answer };
  return { ...parts, duration: parts.sending + parts.waiting + parts.receiving };
}

function bytes(socket, { read, written }) {
  return { sent: socket ? socket.bytesWritten - written : 0, received: socket ? socket.bytesRead - read : 0 };
}

/** Users come and go; each iterates without pause. */
async function rampUsers(test, { startVUs, stages }, work) {
  const running = [];
  let wanted = startVUs;
  const grow = async () => {
    while (running.length < wanted) {
      const index = running.length;
      running.push(
        (async () => {
          const user = await test.user();
          // At least once: in k6 users are there before the clock starts, here a busy machine may be late.
          do await test.iterate(user, work());
          while (index < wanted && !test.isAborted);
        })(),
      );
    }
  };
  for (const { duration, target } of stages) {
    const from = wanted;
    const steps = Math.max(1, Math.abs(target - from));
    for (let step = 1; step <= steps; step++) {
      await test.pause(milliseconds(duration) / steps);
      wanted = from + Math.round(((target - from) * step) / steps);
      await grow();
    }
  }
  wanted = 0;
  await Promise.all(running);
}

/** Iterations start at a rate, whatever became of those before. */
async function rampArrivals(test, { startRate, stages, preAllocatedVUs, maxVUs }, work) {
  const free = await Promise.all(Array.from({ length: preAllocatedVUs }, () => test.user()));
  const running = new Set();
  let users = free.length;
  const arrive = async () => {
    let user = free.pop();
    if (!user && users < maxVUs) {
      users++;
      user = await test.user();
    }
    const task = work();
    if (!user) return test.add({ name: 'dropped_iterations', type: 'counter', value: 1, tags: task.tags });
    await test.iterate(user, task);
    free.push(user);
  };

  let from = startRate;
  for (const { duration, target } of stages) {
    const length = milliseconds(duration);
    let due = 0;
    for (let time = 0; time < length && !test.isAborted; time += 100) {
      due += (from + ((target - from) * time) / length) * 0.1;
      for (; due >= 1; due--) {
        const arrival = arrive();
        running.add(arrival);
        arrival.then(() => running.delete(arrival));
      }
      await test.pause(100);
    }
    from = target;
  }
  await Promise.all(running);
}

/** Each user iterates so many times. */
async function iterateEach(test, { vus, iterations }, work) {
  const users = await Promise.all(Array.from({ length: vus }, () => test.user()));
  await Promise.all(
    users.map(async (user) => {
      for (let i = 0; i < iterations; i++) await test.iterate(user, work());
    }),
  );
}

/** @param {string} duration as 1m30s */
function milliseconds(duration) {
  const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  const parts = [...duration.matchAll(/([\d.]+)(ms|s|m|h)/g)];
  if (parts.map(([part]) => part).join('') !== duration) throw new Error(`'${duration}' is no duration`);
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * UNITS[unit], 0);
}

function withResolvers() {
  let resolve, reject;
  const promise = new Promise((yes, no) => ([resolve, reject] = [yes, no]));
  return { promise, resolve, reject };
}
