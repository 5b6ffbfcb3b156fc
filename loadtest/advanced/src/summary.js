// @ts-check
// The end of a run: a line each on the terminal, all figures as JSON, and a page to read.

const RESULTS = __ENV.RESULTS || 'results';

/**
 * @param {any} data what k6 hands to handleSummary
 * @returns {Record<string, string>}
 */
export function report(data) {
  const name = __ENV.SCENARIO || 'average';
  const { verdicts, isGood } = verdictsOf(data);
  return {
    stdout: toText(name, data, verdicts, isGood),
    [`${RESULTS}/${name}.json`]: JSON.stringify(data, null, 2),
    [`${RESULTS}/${name}.html`]: toHtml(name, data, verdicts, isGood),
  };
}

/** @param {any} data */
function verdictsOf(data) {
  const verdicts = [];
  for (const [metric, { thresholds = {} }] of Object.entries(/** @type {Record<string, any>} */ (data.metrics))) {
    for (const [rule, { ok }] of Object.entries(/** @type {Record<string, any>} */ (thresholds))) verdicts.push({ metric, rule, ok });
  }
  return { verdicts, isGood: verdicts.every(({ ok }) => ok) };
}

/**
 * @param {any} data
 * @returns {[string, string][]}
 */
function figures(data) {
  const value = (/** @type {string} */ metric, /** @type {string} */ key) => data.metrics[metric]?.values?.[key];
  const count = (/** @type {string} */ metric) => String(value(metric, 'count') ?? 0);
  const millis = (/** @type {string} */ metric) =>
    ['med', 'p(95)', 'p(99)', 'max'].map((key) => `${key} ${(value(metric, key) ?? 0).toFixed(1)} ms`).join(', ');
  const share = (/** @type {string} */ metric) => `${(100 * (value(metric, 'rate') ?? 0)).toFixed(2)} %`;
  return [
    ['Requests', `${count('http_reqs')}, ${(value('http_reqs', 'rate') ?? 0).toFixed(1)} a second`],
    ['Answers', millis('http_req_duration')],
    ['Failed requests', share('http_req_failed')],
    ['Checks passed', share('checks')],
    ['Orders acknowledged', count('orders_acknowledged')],
    ['Orders that the shop has more (+) or less (-) than k6', String(-(value('orders_unaccounted', 'count') ?? 0))],
    ['Units that the shop has more (+) or less (-) than k6', String(-(value('units_unaccounted', 'count') ?? 0))],
    ['Units of the flash sale sold beyond stock', count('units_oversold')],
    ['Orders refused for want of stock', count('orders_short')],
    ['Orders tried again; answered from the first try', `${count('order_retries')}; ${count('orders_replayed')}`],
    ['Time to place an order', millis('order_duration')],
    ['Arrivals that k6 had no user for', count('dropped_iterations')],
  ];
}

/**
 * @param {string} name
 * @param {any} data
 * @param {{ metric: string, rule: string, ok: boolean }[]} verdicts
 * @param {boolean} isGood
 */
function toText(name, data, verdicts, isGood) {
  const lines = figures(data).map(([what, figure]) => `  ${what.padEnd(56)} ${figure}`);
  const rules = verdicts.map(({ metric, rule, ok }) => `  ${ok ? 'holds ' : 'BROKEN'}  ${metric} ${rule}`);
  return `\n${name}: ${isGood ? 'all thresholds hold' : 'A THRESHOLD IS BROKEN'}\n\n${lines.join('\n')}\n\n${rules.join('\n')}\n\n`;
}

/**
 * @param {string} name
 * @param {any} data
 * @param {{ metric: string, rule: string, ok: boolean }[]} verdicts
 * @param {boolean} isGood
 */
function toHtml(name, data, verdicts, isGood) {
  const rows = figures(data).map(([what, figure]) => `<tr><th scope="row">${escape(what)}</th><td>${escape(figure)}</td></tr>`);
  const rules = verdicts.map(
    ({ metric, rule, ok }) => `<tr class="${ok ? 'good' : 'bad'}"><th scope="row">${escape(metric)} ${escape(rule)}</th><td>${ok ? 'holds' : 'broken'}</td></tr>`,
  );
  const seconds = Math.round((data.state?.testRunDurationMs ?? 0) / 1000);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Load test: ${escape(name)}</title>
<style>
:root { color-scheme: light dark; --good: #1a7f37; --bad: #cf222e; }
@media (prefers-color-scheme: dark) { :root { --good: #4ac26b; --bad: #ff7b72; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 2rem; }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid #8884; font-weight: normal; vertical-align: top; }
td { text-align: right; font-variant-numeric: tabular-nums; }
.good td, p.good { color: var(--good); } .bad td, p.bad { color: var(--bad); font-weight: bold; }
</style>
</head>
<body>
<h1>Load test: ${escape(name)}</h1>
<p>${new Date().toISOString()}, ${seconds} s.</p>
<p class="${isGood ? 'good' : 'bad'}">${isGood ? 'All thresholds hold.' : 'A threshold is broken.'}</p>
<h2>Figures</h2>
<table>${rows.join('')}</table>
<h2>Thresholds</h2>
<table>${rules.join('')}</table>
</body>
</html>
`;
}

/** @param {string} text */
function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
