const vu = globalThis.k6StandIn;

export function check(value, conditions, tags) {
  let all = true;
  for (const [name, condition] of Object.entries(conditions)) {
    const holds = Boolean(typeof condition === 'function' ? condition(value) : condition);
    vu.sample({ name: 'checks', type: 'rate' }, holds, { ...tags, check: name });
    all &&= holds;
  }
  return all;
}

export function fail(message) {
  throw new Error(message);
}

export function group(name, work) {
  vu.groups.push(name);
  try {
    return work();
  } finally {
    vu.groups.pop();
  }
}

export function sleep(seconds) {
  if (!(seconds >= 0)) throw new Error(`sleep(${seconds})`);
  vu.sleep(seconds);
}
