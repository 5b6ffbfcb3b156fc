// What `k6 run --out experimental-prometheus-rw` does: every few seconds the state of each series that has changed goes to Prometheus by remote write, with
// the time of its newest sample. A counter ends with _total and a rate with _rate; a trend is a series for each statistic, times in seconds.
// k6-remote-write.json is what a real k6 wrote.

import { valuesOf } from './metrics.js';

export class RemoteWrite {
  #series = new Map();
  #sent = Promise.resolve();
  #timer;
  #take;

  /** @param {Record<string, string | undefined>} env k6's own variables for this output
   * @param {(series: { labels: string[][], value: number, time: number }[]) => unknown} [take] gets the series of a push, in place of Prometheus */
  constructor({ K6_PROMETHEUS_RW_SERVER_URL: url = 'http://localhost:9090/api/v1/write', K6_PROMETHEUS_RW_TREND_STATS: stats = 'p(99)', K6_PROMETHEUS_RW_PUSH_INTERVAL: interval = '5s' }, take = (series) => push(url, series)) {
    this.#take = take;
    this.stats = stats.split(',');
    const seconds = /^([\d.]+)s$/.exec(interval)?.[1];
    if (!seconds) throw new Error(`K6_PROMETHEUS_RW_PUSH_INTERVAL: the stand-in wants seconds, such as 5s, not ${interval}`);
    this.#timer = setInterval(() => this.#send(), Number(seconds) * 1000).unref();
  }

  add({ name, type, contains, value, tags = {} }) {
    const labels = Object.entries(tags).filter(([, text]) => text !== '');
    const key = JSON.stringify([name, ...labels.sort()]);
    let series = this.#series.get(key);
    if (!series) this.#series.set(key, (series = { name, type, contains, labels, samples: [] }));
    series.samples.push(value);
    series.time = Date.now();
    series.isChanged = true;
  }

  /** Sends what is left; an error of any push comes out here, and the run fails with it. */
  async close() {
    clearInterval(this.#timer);
    this.#send();
    await this.#sent;
  }

  #send() {
    const changed = [...this.#series.values()].filter(({ isChanged }) => isChanged);
    if (changed.length === 0) return;
    const figures = changed.flatMap((series) => this.#figures(series));
    for (const series of changed) series.isChanged = false;
    this.#sent = this.#sent.then(() => this.#take(figures));
    this.#sent.catch(() => {}); // close() waits for it, and throws
  }

  #figures({ name, type, contains, labels, samples, time }) {
    const values = valuesOf(type, samples, 1, this.stats);
    const figure = (suffix, value) => ({ labels: [['__name__', `k6_${name}${suffix}`], ...labels], value, time });
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

async function push(url, series) {
  const headers = { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy', 'X-Prometheus-Remote-Write-Version': '0.1.0' };
  const answer = await fetch(url, { method: 'POST', headers, body: compressed(writeRequest(series)) });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
}

/** prometheus.WriteRequest as Protocol Buffers: time series of labels and one sample each. */
function writeRequest(series) {
  return Buffer.concat(series.map(({ labels, value, time }) => field(1, Buffer.concat([...labels.map(label), field(2, sample(value, time))]))));
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
