// One virtual user: a thread that runs the script. Its HTTP requests are synchronous for the script, as they are in k6: the thread sleeps
// until the runner has the answer.

import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';

const { script, id, env, scale, signal, answers } = workerData;

globalThis.__ENV = env;
globalThis.__VU = id;
globalThis.__ITER = 0;

/** What the stand-ins of the modules need. */
globalThis.k6StandIn = {
  id,
  iteration: 0,
  groups: [],
  tags: {}, // of what it does now
  sample: (metric, value, tags) => {
    const { group = '', ...others } = globalThis.k6StandIn.tags;
    const groups = group + globalThis.k6StandIn.groups.map((name) => `::${name}`).join('');
    parentPort.postMessage({ sample: { ...metric, value: Number(value), tags: { ...others, group: groups, ...tags } } });
  },
  sleep: (seconds) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, seconds * 1000 * scale),
  send: (request) => {
    Atomics.store(signal, 0, 0);
    parentPort.postMessage({ request });
    // Again and again: the waking call of the answer before may come late.
    while (Atomics.load(signal, 0) === 0) Atomics.wait(signal, 0, 0);
    return receiveMessageOnPort(answers).message;
  },
};

try {
  const module = await import(script);
  parentPort.postMessage({ ready: { options: module.options ?? {}, functions: Object.keys(module).filter((name) => typeof module[name] === 'function') } });
  parentPort.on('message', async ({ run, data, tags = {} }) => {
    try {
      globalThis.k6StandIn.tags = tags;
      globalThis.__ITER = globalThis.k6StandIn.iteration;
      const result = await module[run](data);
      parentPort.postMessage({ done: { result: result === undefined ? undefined : JSON.parse(JSON.stringify(result)) } });
    } catch (error) {
      parentPort.postMessage({ done: { error: String(error?.stack ?? error) } });
    }
    globalThis.k6StandIn.iteration++;
  });
} catch (error) {
  parentPort.postMessage({ done: { error: String(error?.stack ?? error) } });
}
