const vu = globalThis.k6StandIn;

class Metric {
  constructor(type, name, isTime = false) {
    if (!/^[a-zA-Z_][a-zA-Z0-9_]{0,127}$/.test(name)) throw new Error(`'${name}' is no name of a metric`);
    this.metric = { name, type, contains: isTime ? 'time' : 'default' };
  }

  get name() {
    return this.metric.name;
  }

  add(value, tags) {
    if (Number.isNaN(Number(value))) throw new Error(`${this.name}: ${value} is no number`);
    vu.sample(this.metric, value, tags);
  }
}

const kind = (type) =>
  class extends Metric {
    constructor(name, isTime) {
      super(type, name, isTime);
    }
  };

export const Counter = kind('counter');
export const Gauge = kind('gauge');
export const Rate = kind('rate');
export const Trend = kind('trend');
