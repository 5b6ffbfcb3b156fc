// @ts-check
// How much load, for how long. Arrivals are an open model: they come at their rate however slow the shop is, as real customers do.

// What must hold at the end of any run. The two counters are the shop's books against k6's own (ledger.js).
const BOOKS = {
  orders_unaccounted: ['count==0'],
  units_unaccounted: ['count==0'],
  units_oversold: ['count==0'],
};

const GOOD = {
  ...BOOKS,
  http_req_duration: ['p(95)<100'],
  http_req_failed: ['rate<0.001'],
  checks: ['rate>0.999'],
};

/** @typedef {{ duration: string, browsers: number, buyers: number }} Stage per second */

/** @type {Record<string, { stages: Stage[], flashBuyers: number, flashAt: string, thresholds: Record<string, any[]> }>} */
const PROFILES = {
  // Does it work at all?
  smoke: {
    stages: [{ duration: '20s', browsers: 2, buyers: 1 }],
    flashBuyers: 5,
    flashAt: '10s',
    thresholds: GOOD,
  },
  // A usual day.
  average: {
    stages: [
      { duration: '30s', browsers: 100, buyers: 50 },
      { duration: '3m', browsers: 100, buyers: 50 },
      { duration: '30s', browsers: 0, buyers: 0 },
    ],
    flashBuyers: 200,
    flashAt: '2m',
    thresholds: GOOD,
  },
  // Its best day of the year.
  stress: {
    stages: [
      { duration: '1m', browsers: 400, buyers: 300 },
      { duration: '4m', browsers: 400, buyers: 300 },
      { duration: '1m', browsers: 0, buyers: 0 },
    ],
    flashBuyers: 500,
    flashAt: '3m',
    thresholds: { ...GOOD, http_req_duration: ['p(95)<500'] },
  },
  // It is on television.
  spike: {
    stages: [
      { duration: '30s', browsers: 50, buyers: 20 },
      { duration: '10s', browsers: 800, buyers: 500 },
      { duration: '1m', browsers: 800, buyers: 500 },
      { duration: '10s', browsers: 50, buyers: 20 },
      { duration: '1m', browsers: 50, buyers: 20 },
    ],
    flashBuyers: 500,
    flashAt: '1m',
    thresholds: { ...GOOD, http_req_duration: ['p(95)<1000'], http_req_failed: ['rate<0.01'] },
  },
  // Does it hold for hours?
  soak: {
    stages: [
      { duration: '1m', browsers: 100, buyers: 50 },
      { duration: '1h', browsers: 100, buyers: 50 },
      { duration: '1m', browsers: 0, buyers: 0 },
    ],
    flashBuyers: 200,
    flashAt: '30m',
    thresholds: GOOD,
  },
  // Where does it end? The run stops by itself once answers are slow or fail. That is its result, so k6 ends with an error then.
  breakpoint: {
    stages: [{ duration: '10m', browsers: 5000, buyers: 5000 }],
    flashBuyers: 500,
    flashAt: '1m',
    thresholds: {
      ...BOOKS,
      http_req_duration: [{ threshold: 'p(95)<500', abortOnFail: true, delayAbortEval: '10s' }],
      http_req_failed: [{ threshold: 'rate<0.05', abortOnFail: true, delayAbortEval: '10s' }],
    },
  },
};

/**
 * @param {string} name
 * @returns {import('k6/options').Options}
 */
export function profile(name) {
  const chosen = PROFILES[name];
  if (!chosen) throw new Error(`SCENARIO is '${name}', but must be one of ${Object.keys(PROFILES).join(', ')}`);
  const { stages, flashBuyers, flashAt, thresholds } = chosen;
  return {
    scenarios: {
      browsers: arrivals('browse', stages, (stage) => stage.browsers),
      buyers: arrivals('buy', stages, (stage) => stage.buyers),
      restockers: arrivals('restock', stages, (stage) => Math.min(stage.buyers, 2)),
      flash_sale: {
        executor: 'per-vu-iterations',
        exec: 'flashSale',
        vus: flashBuyers,
        iterations: 1,
        startTime: flashAt,
        maxDuration: '1m',
      },
    },
    thresholds,
    // Tells one run from another where the figures of many are kept.
    tags: { testid: __ENV.TESTID || `${name}-${new Date().toISOString().replace(/[-:]|\.\d+/g, '')}` },
    summaryTrendStats: ['avg', 'min', 'med', 'max', 'p(90)', 'p(95)', 'p(99)'],
    setupTimeout: '2m',
    teardownTimeout: '2m',
    userAgent: 'shop-loadtest',
  };
}

/**
 * @param {string} exec
 * @param {Stage[]} stages
 * @param {(stage: Stage) => number} rate
 * @returns {import('k6/options').RampingArrivalRateScenario}
 */
function arrivals(exec, stages, rate) {
  const most = Math.max(...stages.map(rate));
  return {
    executor: 'ramping-arrival-rate',
    exec,
    startRate: stages.length === 1 && most > 100 ? 0 : rate(stages[0]), // the breakpoint is found from below
    timeUnit: '1s',
    preAllocatedVUs: Math.min(500, Math.max(5, most * 2)),
    maxVUs: Math.min(2000, Math.max(50, most * 5)), // each costs k6 a megabyte or more
    stages: stages.map((stage) => ({ duration: stage.duration, target: rate(stage) })),
  };
}
