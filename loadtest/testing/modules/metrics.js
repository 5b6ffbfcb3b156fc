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

export class Counter extends Metric {
  constructor(name, isTime) {
    super('counter', name, isTime);
  }
}

export class Gauge extends Metric {
  constructor(name, isTime) {
    super('gauge', name, isTime);
  }
}

export class Rate extends Metric {
  constructor(name, isTime) {
    super('rate', name, isTime);
  }
}

export class Trend extends Metric {
  constructor(name, isTime) {
    super('trend', name, isTime);
  }
}
