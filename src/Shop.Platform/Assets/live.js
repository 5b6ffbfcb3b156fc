// Makes the live console move: the charts and tables of a service, or of all services beside one another.
import { Chart, Moment, short } from './chart.js';
import { clock, follow, html, svg } from './follow.js';

const KEPT = 900, MINUTES = 'live-minutes';

const moment = new Moment();
const panels = [];
// Without a choice, a minute while there is no more to show, and five then.
let minutes = null, pausedAt = null;

/** A service on the page: its history, and what shows it. */
class Panel {
  #part;
  #charts;
  #points = [];
  #marks = [];
  #bands = [];
  #started = null;
  #version = null;
  #endpoints;

  constructor(part) {
    this.#part = part;
    this.#charts = [...part.querySelectorAll('[data-chart]')].map((figure) => new Chart(figure, moment));
    const table = part.querySelector('[data-endpoints]');
    this.#endpoints = table && new Endpoints(table);
    const isOwn = part.dataset.live.startsWith('/');
    follow({
      url: part.dataset.live,
      silence: 4000,
      part,
      forms: isOwn ? document : null,
      line: part.querySelector('[data-live-state]'),
      live: 'Live.',
      on: { history: (points) => this.#open(points), second: (second) => this.#add(second, isOwn) },
      // A shop that does not answer has no rate.
      lost: () => {
        for (const value of part.querySelectorAll('[data-column], [data-figure]')) value.textContent = '–';
        if (isOwn) showTraffic(null);
      },
    });
  }

  draw() {
    const newest = this.#points.at(-1)?.[0];
    if (newest === undefined) return;
    const to = pausedAt ?? newest;
    for (const chart of this.#charts) {
      chart.show({ points: this.#points, to, minutes: shown(), marks: this.#marks, bands: this.#bands });
    }
  }

  /** Seconds that it has to show. */
  get seconds() {
    return this.#points.length;
  }

  /** Its last second in milliseconds: where the charts stop if they are paused. */
  get newest() {
    return this.#points.at(-1)?.[0] ?? 0;
  }

  // What was before a restart is known to the page alone, and stays.
  #open(points) {
    const first = points[0]?.[0] ?? Infinity;
    this.#points = [...this.#points.filter(([at]) => at < first), ...points].slice(-KEPT);
    this.draw();
  }

  #add(second, isOwn) {
    if (second.point && second.point[0] > this.newest) this.#points = [...this.#points, second.point].slice(-KEPT);
    if (second.started && second.started !== this.#started) {
      const isKnown = this.#started !== null, isNew = isKnown && this.#version !== second.version;
      const word = isNew ? 'Deployed' : isKnown ? 'Restarted' : 'Started';
      this.#marks.push({ at: second.started, label: `${word} ${second.version}` });
      [this.#started, this.#version] = [second.started, second.version];
    }
    const running = new Set((second.faults ?? []).map(({ from, name }) => `${from} ${name}`));
    // After a restart, the bands of before it are known to the page alone.
    const before = this.#points.findLast(([at]) => at < this.#started)?.[0] ?? this.#started;
    this.#bands = [
      ...this.#bands.filter(({ from, label }) => !running.has(`${from} ${label}`))
        .map((band) => ({ ...band, until: band.until ?? before })),
      ...(second.faults ?? []).map(({ name, from, until }) => ({ from, until, label: name })),
    ];
    if (isOwn) {
      showTraffic(second);
      showTrouble(second.trouble ?? []);
    }
    if (pausedAt !== null) return;
    this.draw();
    for (const value of this.#part.querySelectorAll('[data-column]')) {
      value.textContent = short(second.point?.[Number(value.dataset.column)] ?? null);
    }
    this.#show('total', String(second.requests));
    this.#fill('codes', second.codes, String);
    this.#fill('figures', second.figures, short);
    this.#endpoints?.show(second.endpoints ?? []);
  }

  #show(figure, text) {
    const part = this.#part.querySelector(`[data-figure="${figure}"]`);
    if (part) part.textContent = text;
  }

  #fill(name, map, format) {
    const rows = Object.entries(map).map(([key, value]) =>
      html('tr', {}, html('td', {}, key), html('td', { class: 'number' }, format(value))));
    this.#part.querySelector(`[data-map="${name}"]`)?.replaceChildren(...rows);
  }
}

/** The table by endpoint. Its head sorts it; rows stay where they are while the pointer or the focus is in it. */
class Endpoints {
  #table;
  #by = 'rate';
  #isRising = false;
  #rows = [];
  #order = [];

  constructor(table) {
    this.#table = table;
    for (const button of table.querySelectorAll('[data-sort]')) {
      button.addEventListener('click', () => {
        const by = button.dataset.sort;
        this.#isRising = this.#by === by ? !this.#isRising : by === 'route';
        this.#by = by;
        for (const head of table.querySelectorAll('[aria-sort]')) head.setAttribute('aria-sort', 'none');
        button.parentElement.setAttribute('aria-sort', this.#isRising ? 'ascending' : 'descending');
        this.#sort();
        this.#draw();
      });
    }
  }

  show(rows) {
    this.#rows = rows;
    const isRead = this.#table.tBodies[0].matches(':hover') || this.#table.contains(document.activeElement);
    if (!isRead || this.#order.length === 0) this.#sort();
    this.#draw();
  }

  #sort() {
    const by = this.#by, sign = this.#isRising ? 1 : -1;
    const compare = (one, other) => (by === 'route' ? one.route.localeCompare(other.route)
      : (one[by] ?? -1) - (other[by] ?? -1));
    this.#order = [...this.#rows]
      .sort((one, other) => sign * compare(one, other) || one.route.localeCompare(other.route))
      .map(({ route }) => route);
  }

  #draw() {
    const place = (route) => (this.#order.includes(route) ? this.#order.indexOf(route) : Infinity);
    const rows = [...this.#rows].sort((one, other) => place(one.route) - place(other.route));
    const number = (value, style = '') => html('td', { class: `number ${style}` }, short(value));
    this.#table.tBodies[0].replaceChildren(...rows.map((row) => html('tr', {},
      html('td', {}, row.route),
      html('td', { class: 'number' }, String(row.requests)),
      number(row.rate), number(row.failed, row.failed > 0 ? 'failing' : ''), number(row.p50), number(row.p95),
      html('td', {}, sparkline(row.rates)))));
  }
}

function sparkline(rates) {
  const width = 90, height = 22, highest = Math.max(0.001, ...rates);
  const x = (i) => width - (rates.length - 1 - i) * width / 30;
  const y = (rate) => height - 2 - (height - 4) * rate / highest;
  const points = rates.map((rate, i) => `${x(i).toFixed(1)},${y(rate).toFixed(1)}`);
  return svg('svg', { class: 'spark', viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' },
    svg('polyline', { class: 'line', points: points.join(' ') }));
}

/** @param {{ traffic: number, demo?: object } | null} second What runs; null if nobody knows. */
function showTraffic(second) {
  const part = (name) => document.querySelector(`[data-traffic="${name}"]`);
  const rate = second?.traffic ?? 0, demo = second?.demo;
  const shape = demo ? `${demo.shape}, ` : '';
  const running = `Running: ${shape}${rate} requests a second at most, on all three services together.`;
  part('state').textContent = second === null ? 'Not known.' : rate > 0 ? running : 'Off.';
  part('reached').textContent = rate === 0 || !demo ? ''
    : (demo.answered === null ? '' : `Wanted ${short(demo.wanted)} a second now, answered ${short(demo.answered)}. `)
      + `It ends by itself at ${clock(demo.ends)}.`;
  if (second === null || !part('start')) return;
  if (part('stop').hidden !== (rate === 0)) part('choices').open = rate === 0;
  part('start').textContent = rate > 0 ? 'Change' : 'Start';
  part('stop').hidden = rate === 0;
  part('hint').hidden = rate > 0;
}

// The page has the faults that ran when it was loaded; those that begin and end meanwhile are told here.
function showTrouble(runs) {
  let banner = document.querySelector('.trouble');
  if (!banner && runs.length) {
    banner = html('p', { class: 'trouble', role: 'status' });
    document.querySelector('main').prepend(banner);
  }
  if (!banner || banner.dataset.runs === runs.join()) return;
  banner.dataset.runs = runs.join();
  banner.hidden = runs.length === 0;
  banner.replaceChildren(html('strong', {}, 'Trouble on demand:'), ` ${runs.join('; ')}`);
  for (const row of document.querySelectorAll('[data-fault]')) {
    const run = runs.find((text) => text.split(' ')[0] === row.dataset.fault);
    const state = row.querySelector('[data-running]'), end = row.querySelector('[value=end]');
    state.hidden = !run;
    state.lastElementChild.textContent = run ?? '';
    if (!end) continue;
    end.hidden = !run;
    row.querySelector('[data-start]').textContent = run ? 'Start anew' : 'Start';
  }
}

const shown = () => minutes ?? (panels.some((panel) => panel.seconds > 60) ? 5 : 1);

function drawAll() {
  for (const panel of panels) panel.draw();
}

function tools() {
  const part = document.querySelector('[data-tools]'), pause = document.querySelector('[data-pause]');
  part.hidden = false;
  const mark = () => {
    for (const choice of part.querySelectorAll('[name=minutes]')) choice.checked = Number(choice.value) === shown();
  };
  try {
    const kept = Number(localStorage.getItem(MINUTES));
    if ([1, 5, 15].includes(kept)) minutes = kept;
  } catch {
    // A browser that keeps nothing begins with five minutes each time.
  }
  for (const choice of part.querySelectorAll('[name=minutes]')) {
    choice.addEventListener('change', () => {
      minutes = Number(choice.value);
      try {
        localStorage.setItem(MINUTES, choice.value);
      } catch {
        // As above.
      }
      drawAll();
    });
  }
  setInterval(mark, 1000);
  mark();
  pause.addEventListener('click', () => {
    pausedAt = pausedAt === null ? Math.max(...panels.map((panel) => panel.newest)) : null;
    pause.textContent = pausedAt === null ? 'Pause' : 'Go on';
    document.querySelector('[data-paused]').textContent = pausedAt === null ? ''
      : `Paused at ${clock(pausedAt)}: the shop goes on, the page does not.`;
    drawAll();
  });
}

tools();
for (const part of document.querySelectorAll('[data-live]')) panels.push(new Panel(part));
