// What `k6 run --out experimental-prometheus-rw` does: every few seconds the state of each series goes to Prometheus by remote write, in the names of k6's
// documentation. A counter ends with _total and a rate with _rate; a trend is a series for each statistic, times in seconds.

import { valuesOf } from './metrics.js';

const SYSTEM_TAGS = new Set(['method', 'name', 'status', 'group', 'check', 'scenario', 'expected_response']);

export class RemoteWrite {
  #series = new Map();
  #sent = Promise.resolve();
  #timer;

  /** @param {Record<string, string | undefined>} env k6's own variables for this output */
  constructor({ K6_PROMETHEUS_RW_SERVER_URL: url = 'http://localhost:9090/api/v1/write', K6_PROMETHEUS_RW_TREND_STATS: stats = 'p(99)', K6_PROMETHEUS_RW_PUSH_INTERVAL: interval = '5s' }) {
    this.url = url;
    this.stats = stats.split(',');
    const seconds = /^([\d.]+)s$/.exec(interval)?.[1];
    if (!seconds) throw new Error(`K6_PROMETHEUS_RW_PUSH_INTERVAL: the stand-in wants seconds, such as 5s, not ${interval}`);
    this.#timer = setInterval(() => this.#send(), Number(seconds) * 1000).unref();
  }

  add({ name, type, contains, value, tags = {} }) {
    const labels = Object.entries(tags).filter(([tag, text]) => SYSTEM_TAGS.has(tag) && text !== '');
    const key = JSON.stringify([name, ...labels.sort()]);
    let series = this.#series.get(key);
    if (!series) this.#series.set(key, (series = { name, type, contains, labels, samples: [] }));
    series.samples.push(value);
  }

  /** Sends what is left; an error of any push comes out here, and the run fails with it. */
  async close() {
    clearInterval(this.#timer);
    this.#send();
    await this.#sent;
  }

  #send() {
    const body = compressed(writeRequest([...this.#series.values()].flatMap((series) => this.#figures(series)), Date.now()));
    this.#sent = this.#sent.then(() => push(this.url, body));
    this.#sent.catch(() => {}); // close() waits for it, and throws
  }

  #figures({ name, type, contains, labels, samples }) {
    const values = valuesOf(type, samples, 1, this.stats);
    const figure = (suffix, value) => ({ labels: [['__name__', `k6_${name}${suffix}`], ...labels], value });
    switch (type) {
      case 'counter':
        return [figure('_total', values.count)];
      case 'gauge':
        return [figure('', values.value)];
      case 'rate':
        return [figure('_rate', values.rate)];
      default:
        return Object.entries(values).map(([stat, value]) => figure(`_${stat.replace(/[()]/g, '')}`, contains === 'time' ? value / 1000 : value));
    }
  }
}

async function push(url, body) {
  const headers = { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy', 'X-Prometheus-Remote-Write-Version': '0.1.0' };
  const answer = await fetch(url, { method: 'POST', headers, body });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
}

/** prometheus.WriteRequest as Protocol Buffers: time series of labels and one sample each. */
function writeRequest(series, time) {
  return Buffer.concat(series.map(({ labels, value }) => field(1, Buffer.concat([...labels.map(label), field(2, sample(value, time))]))));
}

function label([name, text]) {
  return field(1, Buffer.concat([field(1, name), field(2, text)]));
}

function sample(value, time) {
  const number = Buffer.alloc(9);
  number[0] = (1 << 3) | 1; // field 1, a double
  number.writeDoubleLE(value, 1);
  return Buffer.concat([number, Buffer.from([2 << 3]), varint(time)]);
}

function field(number, content) {
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.from([(number << 3) | 2]), varint(bytes.length), bytes]);
}

function varint(number) {
  const bytes = [];
  for (; number >= 128; number = Math.floor(number / 128)) bytes.push((number % 128) | 128);
  return Buffer.from([...bytes, number]);
}

/** Snappy's block format, of literals alone: valid, though nothing gets smaller. */
function compressed(bytes) {
  const parts = [varint(bytes.length)];
  for (let from = 0; from < bytes.length; from += 65536) {
    const literal = bytes.subarray(from, from + 65536);
    const head = Buffer.from([61 << 2, 0, 0]); // a literal whose length takes two bytes
    head.writeUInt16LE(literal.length - 1, 1);
    parts.push(head, literal);
  }
  return Buffer.concat(parts);
}
