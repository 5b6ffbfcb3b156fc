// The metrics of a run, and the thresholds on them.

const STATS = { avg: mean, min: (values) => Math.min(...values), max: (values) => Math.max(...values), med: (values) => percentile(values, 50) };
const SUMMARY_STATS = ['avg', 'min', 'med', 'max', 'p(90)', 'p(95)']; // k6's own, unless the script says others

export class Metrics {
  #metrics = new Map();

  add({ name, type, contains = 'default', value, tags = {} }) {
    let metric = this.#metrics.get(name);
    if (!metric) this.#metrics.set(name, (metric = { type, contains, samples: [], failures: new Map() }));
    if (metric.type !== type) throw new Error(`${name} is a ${metric.type}, not a ${type}`);
    metric.samples.push(value);
    if (name === 'checks' && !value) metric.failures.set(tags.check, (metric.failures.get(tags.check) ?? 0) + 1);
    if (name === 'http_req_failed' && value) {
      const what = `${tags.method} ${tags.name}: ${tags.status}`;
      metric.failures.set(what, (metric.failures.get(what) ?? 0) + 1);
    }
  }

  /** What went wrong how often, for whoever wants to know why. */
  get failures() {
    return [...this.#metrics.values()].flatMap(({ failures }) => [...failures]);
  }

  /** As k6 hands it to handleSummary. */
  summary(thresholds, seconds, stats = SUMMARY_STATS) {
    const metrics = {};
    for (const [name, { type, contains, samples }] of this.#metrics) metrics[name] = { type, contains, values: valuesOf(type, samples, seconds, stats) };
    for (const { name, rule, ok } of this.verdicts(thresholds)) {
      metrics[name] ??= { type: 'counter', contains: 'default', values: valuesOf('counter', [], seconds) };
      (metrics[name].thresholds ??= {})[rule] = { ok };
    }
    return { metrics, state: { testRunDurationMs: seconds * 1000 }, root_group: {}, options: {} };
  }

  verdicts(thresholds) {
    return Object.entries(thresholds).flatMap(([name, rules]) =>
      rules.map((rule) => {
        const text = typeof rule === 'string' ? rule : rule.threshold;
        return { name, rule: text, ok: this.#holds(name, text), isAborting: rule.abortOnFail === true };
      }),
    );
  }

  #holds(name, rule) {
    if (name.includes('{')) throw new Error(`${name}: the stand-in has no thresholds on tags`);
    const match = /^(?<what>rate|count|value|avg|min|med|max|p\((?<percent>[\d.]+)\)) *(?<operator>[<>]=?|===?|!=) *(?<bound>[\d.]+)$/.exec(rule);
    if (!match) throw new Error(`'${rule}' is no threshold`);
    const { what, percent, operator, bound } = match.groups;
    const metric = this.#metrics.get(name);
    // Without a sample a counter is 0, and there is nothing else to break a rule.
    if (!metric) return what === 'count' ? compare(0, operator, Number(bound)) : true;
    const value = percent ? statistic(what, metric.samples) : valuesOf(metric.type, metric.samples, 1)[what];
    if (value === undefined) throw new Error(`a ${metric.type} such as ${name} has no ${what}`);
    return compare(value, operator, Number(bound));
  }
}

/** The figures of a metric by k6's names; stats: those of a trend. */
export function valuesOf(type, samples, seconds, stats = SUMMARY_STATS) {
  const sum = samples.reduce((total, value) => total + value, 0);
  switch (type) {
    case 'counter':
      return { count: sum, rate: sum / seconds };
    case 'gauge':
      return { value: samples.at(-1), min: Math.min(...samples), max: Math.max(...samples) };
    case 'rate':
      return { rate: sum / samples.length, passes: sum, fails: samples.length - sum };
    default:
      return Object.fromEntries(stats.map((stat) => [stat, statistic(stat, samples)]));
  }
}

function statistic(stat, samples) {
  const percent = /^p\(([\d.]+)\)$/.exec(stat)?.[1];
  if (percent) return percentile(samples, Number(percent));
  if (!Object.hasOwn(STATS, stat)) throw new Error(`the stand-in has no statistic ${stat}`);
  return STATS[stat](samples);
}

function mean(values) {
  return values.reduce((total, value) => total + value, 0) / values.length;
}

function percentile(values, percent) {
  // As k6 does it: between two values, the part of the way.
  const sorted = [...values].sort((one, other) => one - other);
  const rank = (percent / 100) * (sorted.length - 1);
  const below = sorted[Math.floor(rank)];
  return below + (sorted[Math.ceil(rank)] - below) * (rank % 1);
}

function compare(value, operator, bound) {
  switch (operator) {
    case '<':
      return value < bound;
    case '<=':
      return value <= bound;
    case '>':
      return value > bound;
    case '>=':
      return value >= bound;
    case '!=':
      return value !== bound;
    default:
      return value === bound;
  }
}
