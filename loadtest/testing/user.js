// One virtual user: a thread that runs the script. Its HTTP requests are synchronous for the script, as they are in k6: the thread sleeps
// until the runner has the answer.

import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';

const { script, id, env, scale, random, now, signal, answers } = workerData;

globalThis.__ENV = env;
globalThis.__VU = id;
globalThis.__ITER = 0;
if (random !== undefined) Math.random = () => random;
if (now !== undefined) Date.now = () => now;

/** What the stand-ins of the modules need. */
globalThis.k6StandIn = {
  id,
  iteration: 0,
  groups: [],
  data: { sent: 0, received: 0 }, // bytes of this iteration
  tags: {}, // of what it does now
  sample: (metric, value, tags) => {
    const { group = '', ...others } = globalThis.k6StandIn.tags;
    const groups = group + globalThis.k6StandIn.groups.map((name) => `::${name}`).join('');
    parentPort.postMessage({ sample: { ...metric, value: Number(value), tags: { ...others, group: groups, ...tags } } });
  },
  sleep: (seconds) => {
    parentPort.postMessage({ sleep: Number(seconds) });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, seconds * 1000 * scale);
  },
  send: (request) => {
    Atomics.store(signal, 0, 0);
    parentPort.postMessage({ request });
    // Again and again: the waking call of the answer before may come late.
    while (Atomics.load(signal, 0) === 0) Atomics.wait(signal, 0, 0);
    return receiveMessageOnPort(answers).message;
  },
};

/** What k6 tells of each iteration, of setup and of teardown. */
function report(duration) {
  const { data, sample } = globalThis.k6StandIn;
  sample({ name: 'iteration_duration', type: 'trend', contains: 'time' }, duration);
  for (const way of Object.keys(data)) sample({ name: `data_${way}`, type: 'counter', contains: 'data' }, data[way]);
  globalThis.k6StandIn.data = { sent: 0, received: 0 };
}

try {
  const module = await import(script);
  parentPort.postMessage({ ready: { options: module.options ?? {}, functions: Object.keys(module).filter((name) => typeof module[name] === 'function') } });
  parentPort.on('message', async ({ run, data, tags = {} }) => {
    try {
      globalThis.k6StandIn.tags = tags;
      globalThis.__ITER = globalThis.k6StandIn.iteration;
      const start = performance.now();
      const result = await module[run](data);
      if (run !== 'handleSummary') report(performance.now() - start);
      parentPort.postMessage({ done: { result: result === undefined ? undefined : JSON.parse(JSON.stringify(result)) } });
    } catch (error) {
      parentPort.postMessage({ done: { error: String(error?.stack ?? error) } });
    }
    globalThis.k6StandIn.iteration++;
  });
} catch (error) {
  parentPort.postMessage({ done: { error: String(error?.stack ?? error) } });
}
