// A chart of the live console. What it shows (columns, names, unit, form) stands in its figure; this draws it.
import { clock, html, svg } from './follow.js';

const HEIGHT = 200, LEFT = 52, RIGHT = 8, TOP = 30, BOTTOM = 22;
const LABEL = 110, LETTER = 6.6;
// A second that is missing breaks a line.
const GAP = 2500;
const TICKS = { 1: 15, 5: 60, 15: 300 };

/** A number with three digits that count, or with all before the point. */
export const short = (value) => (value === null || value === undefined ? '–'
  : value.toLocaleString('en', value >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 }));

/** A value with its unit: 0.42 ms, 1.2 s, 48 /s. */
export const withUnit = (value, unit) => {
  if (value === null || value === undefined) return '–';
  if (unit === 'ms' && value >= 1000) return `${short(value / 1000)} s`;
  return unit ? `${short(value)} ${unit}` : short(value);
};

/** Round values from zero to above the highest: steps of 1, 2 or 5 times a power of ten. */
export const linearTicks = (highest) => {
  const raw = Math.max(highest, 1e-9) / 4, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((part) => part * power).find((part) => part >= raw * 0.999);
  const count = Math.max(1, Math.ceil(highest / step - 1e-9));
  return Array.from({ length: count + 1 }, (_, i) => Number((i * step).toPrecision(12)));
};

/** The powers of ten around all values; within one power, 2 and 5 of it too. */
export const logarithmicTicks = (lowest, highest) => {
  const from = Math.floor(Math.log10(Math.max(lowest, 1e-3)) + 1e-9);
  const to = Math.max(from + 1, Math.ceil(Math.log10(Math.max(highest, 1e-3)) - 1e-9));
  const powers = Array.from({ length: to - from + 1 }, (_, i) => Number((10 ** (from + i)).toPrecision(3)));
  return powers.length > 2 ? powers : [powers[0], ...[2, 5].map((part) => part * powers[0]), powers[1]];
};

/** The charts of a page show the same time, and the same moment under the pointer or the keys. */
export class Moment {
  #watchers = [];
  at = null;
  of = null;

  watch(watcher) {
    this.#watchers.push(watcher);
  }

  show(at, of) {
    if (at === this.at && of === this.of) return;
    [this.at, this.of] = [at, of];
    for (const watcher of this.#watchers) watcher();
  }
}

export class Chart {
  #series;
  #unit;
  #form;
  #moment;
  #plot;
  #drawing = svg('svg', { 'aria-hidden': 'true' });
  #cursor = svg('g', { class: 'cursor' });
  #tip = html('div', { class: 'tip', hidden: '' });
  #table;
  #shown = null;

  constructor(figure, moment) {
    this.#unit = figure.dataset.unit;
    this.#form = figure.dataset.chart;
    this.#series = [...figure.querySelectorAll('[data-series]')].map((item) => ({
      column: Number(item.dataset.series), name: item.children[1].textContent, style: item.className,
    }));
    this.#moment = moment;
    this.#plot = figure.querySelector('[data-plot]');
    this.#plot.replaceChildren(this.#drawing, this.#tip);
    const title = figure.querySelector('.caption').textContent;
    // A slider over time: the keys move it, and a screen reader says the values of the moment.
    const attributes = {
      role: 'slider', tabindex: '0', 'aria-label': `${title}, the values at a moment`,
      'aria-valuemin': '0', 'aria-valuemax': '0', 'aria-valuenow': '0', 'aria-valuetext': 'Nothing is shown yet.',
    };
    for (const [name, value] of Object.entries(attributes)) this.#plot.setAttribute(name, value);
    this.#plot.addEventListener('pointermove', (event) => this.#point(event));
    this.#plot.addEventListener('pointerdown', (event) => this.#point(event));
    this.#plot.addEventListener('pointerleave', (event) => {
      if (event.pointerType !== 'touch') this.#moment.show(null, null);
    });
    this.#plot.addEventListener('keydown', (event) => this.#key(event));
    this.#plot.addEventListener('blur', () => this.#moment.show(null, null));
    this.#table = figure.querySelector('details');
    this.#table.hidden = false;
    this.#table.addEventListener('toggle', () => this.#fillTable());
    moment.watch(() => this.#drawCursor());
    new ResizeObserver(() => this.#draw()).observe(this.#plot);
  }

  /**
   * Shows points, oldest first: [ms, value, …]. Without any, the chart stays empty.
   * @param {{ points: (number|null)[][], to: number, minutes: number, marks: object[], bands: object[] }} shown
   */
  show(shown) {
    const from = shown.to - shown.minutes * 60_000;
    this.#shown = { ...shown, from, points: shown.points.filter(([at]) => at >= from && at <= shown.to) };
    this.#draw();
    this.#fillTable();
  }

  #x = (at) => LEFT + (this.#width - LEFT - RIGHT) * (at - this.#shown.from) / (this.#shown.to - this.#shown.from);

  get #width() {
    return Math.max(200, this.#plot.clientWidth);
  }

  // The values of a point from the bottom to the top, as they are drawn: stacked, each has those below it under it.
  #levels(point) {
    let sum = 0;
    return this.#series.map(({ column }) => {
      const value = point[column] ?? null;
      return this.#form === 'Stacked' ? (sum += value ?? 0) : value;
    });
  }

  #scale(points) {
    const values = points.flatMap((point) => this.#levels(point)).filter((value) => value !== null);
    const height = HEIGHT - TOP - BOTTOM;
    if (this.#form === 'Logarithmic') {
      const positive = values.filter((value) => value > 0);
      const ticks = positive.length
        ? logarithmicTicks(Math.min(...positive), Math.max(...positive)) : logarithmicTicks(1, 100);
      const [low, high] = [Math.log10(ticks[0]), Math.log10(ticks.at(-1))];
      return { ticks, y: (value) => TOP + height * (1 - (Math.log10(Math.max(value, ticks[0])) - low) / (high - low)) };
    }
    const ticks = linearTicks(Math.max(1, ...values));
    return { ticks, y: (value) => TOP + height * (1 - value / ticks.at(-1)) };
  }

  #draw() {
    if (!this.#shown || this.#plot.clientWidth === 0) return;
    const { points, minutes, from, to, marks, bands } = this.#shown;
    const width = this.#width, bottom = HEIGHT - BOTTOM;
    const { ticks, y } = this.#scale(points);
    this.#drawing.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    const label = (tick, isTop) => (this.#form === 'Logarithmic' || isTop ? withUnit(tick, this.#unit) : short(tick));
    const grid = ticks.flatMap((tick, i) => [
      svg('line', { class: 'grid', x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }),
      svg('text', { class: 'tick', x: LEFT - 6, y: y(tick) + 4, 'text-anchor': 'end' },
        label(tick, i === ticks.length - 1)),
    ]);
    this.#drawing.replaceChildren(
      ...this.#bands(bands.filter((band) => (band.until ?? to) >= from && band.from <= to), from, to, bottom),
      ...grid, ...this.#times(from, to, minutes), ...this.#paths(points, y, bottom),
      ...this.#markers(marks.filter(({ at }) => at >= from && at <= to), bottom),
      this.#cursor);
    this.#plot.setAttribute('aria-valuemax', String(Math.max(0, points.length - 1)));
    this.#drawCursor();
  }

  #times(from, to, minutes) {
    const step = TICKS[minutes] * (this.#width < 420 && minutes !== 15 ? 2 : 1) * 1000;
    const ticks = [];
    for (let at = Math.ceil(from / step) * step; at <= to; at += step) ticks.push(at);
    return ticks.flatMap((at) => [
      svg('line', { class: 'grid', x1: this.#x(at), x2: this.#x(at), y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM + 4 }),
      svg('text', {
        class: 'tick', y: HEIGHT - 5, x: Math.min(Math.max(this.#x(at), LEFT - 4), this.#width - RIGHT - 12),
        'text-anchor': 'middle',
      }, minutes === 1 ? clock(at) : clock(at).slice(0, 5)),
    ]);
  }

  // The names stand above the plot, the latest first. A name without room is only in what the cursor says.
  #bands(bands, from, to, bottom) {
    let free = this.#width;
    return bands.toReversed().flatMap((band) => {
      const [start, end] = [this.#x(Math.max(band.from, from)), this.#x(Math.min(band.until ?? to, to))];
      const length = band.label.length * LETTER, left = Math.min(start, this.#width - length);
      const hasRoom = left + length <= free;
      if (hasRoom) free = left - LETTER;
      return [svg('rect', { class: 'band', x: start, y: TOP, width: Math.max(2, end - start), height: bottom - TOP }),
        ...(hasRoom ? [svg('text', { class: 'mark', x: left, y: TOP - 5 }, band.label)] : [])];
    });
  }

  // Where two are close, the later has its label, and the earlier its line alone.
  #markers(marks, bottom) {
    const isRightHalf = (x) => x > this.#width * 0.6;
    return marks.flatMap(({ at, label }, i) => {
      const x = this.#x(at), isRight = isRightHalf(x), later = marks[i + 1];
      const next = later ? this.#x(later.at) : Infinity;
      const isClose = next - x < (isRight || !isRightHalf(next) ? LABEL : 2 * LABEL);
      const place = { x: x + (isRight ? -4 : 4), y: 11, 'text-anchor': isRight ? 'end' : 'start' };
      return [svg('line', { class: 'marker', x1: x, x2: x, y1: 14, y2: bottom }),
        ...(isClose ? [] : [svg('text', { class: 'mark', ...place }, label)])];
    });
  }

  // Points in a row. A line is broken if there is no value, if a second is missing, and at a restart.
  #runs(points, level) {
    const isRestart = (after, until) => this.#shown.marks.some(({ at }) => at > after && at <= until);
    const runs = [];
    let last = -Infinity;
    for (const point of points) {
      const value = level(point);
      if (value === null) last = -Infinity;
      else {
        if (point[0] - last > GAP || isRestart(last, point[0])) runs.push([]);
        runs.at(-1).push([this.#x(point[0]), value]);
        last = point[0];
      }
    }
    return runs;
  }

  #paths(points, y, bottom) {
    const line = (run) => run.map(([x, value], i) => `${i ? 'L' : 'M'}${x.toFixed(1)},${y(value).toFixed(1)}`).join('')
      + (run.length === 1 ? 'h0' : '');
    const levels = new Map(points.map((point) => [point, this.#levels(point)]));
    const runs = this.#series.map((_, i) => this.#runs(points, (point) => levels.get(point)[i]));
    if (this.#form !== 'Stacked') {
      return this.#series.map(({ style }, i) => svg('path', { class: `line ${style}`, d: runs[i].map(line).join('') }));
    }
    return this.#series.map(({ style }, i) => svg('path', {
      class: `area ${style}`,
      d: runs[i].map((run, part) => {
        const below = i === 0 ? [[run.at(-1)[0], null], [run[0][0], null]] : [...runs[i - 1][part]].reverse();
        return `${line(run)}${below.map(([x, value]) =>
          `L${x.toFixed(1)},${(value === null ? bottom : y(value)).toFixed(1)}`).join('')}Z`;
      }).join(''),
    })).reverse();
  }

  #nearest(at) {
    const { points } = this.#shown;
    let best = null;
    for (const point of points) if (!best || Math.abs(point[0] - at) < Math.abs(best[0] - at)) best = point;
    return best;
  }

  #drawCursor() {
    const { at, of } = this.#moment;
    const point = at === null || !this.#shown ? null : this.#nearest(at);
    const isOutside = point && (at < this.#shown.from || at > this.#shown.to);
    this.#tip.hidden = !point || isOutside || of !== this;
    this.#cursor.replaceChildren();
    if (!point || isOutside) return;
    const x = this.#x(point[0]), { y } = this.#scale(this.#shown.points);
    this.#cursor.append(svg('line', { x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }),
      ...this.#levels(point).flatMap((level, i) => (level === null ? []
        : [svg('circle', { class: this.#series[i].style, cx: x, cy: y(level), r: 3.5 })])));
    this.#plot.setAttribute('aria-valuenow', String(this.#shown.points.indexOf(point)));
    this.#plot.setAttribute('aria-valuetext', this.#say(point));
    if (of !== this) return;
    this.#tip.replaceChildren(html('b', {}, clock(point[0])), ...this.#named(point).map(({ name, value, style }) =>
      html('div', { class: style }, html('span', { class: 'swatch' }), `${name} `, html('b', {}, value))),
      ...this.#faults(point).map((fault) => html('div', { class: 'fault' }, fault)));
    const isRight = x > this.#width / 2;
    this.#tip.style.left = isRight ? '' : `${x + 10}px`;
    this.#tip.style.right = isRight ? `${this.#width - x + 10}px` : '';
  }

  #named = (point) => [...this.#series].reverse().map(({ column, name, style }) =>
    ({ name, style, value: withUnit(point[column] ?? null, this.#unit) }));

  #faults = ([at]) => this.#shown.bands
    .filter((band) => band.from <= at && at <= (band.until ?? Infinity)).map(({ label }) => `Fault: ${label}`);

  #say = (point) => `${clock(point[0])}: ${[...this.#named(point).map(({ name, value }) => `${name} ${value}`),
    ...this.#faults(point)].join(', ')}`;

  #point(event) {
    if (!this.#shown?.points.length) return;
    const box = this.#drawing.getBoundingClientRect(), { from, to } = this.#shown;
    const part = (event.clientX - box.left - LEFT) / (this.#width - LEFT - RIGHT);
    this.#moment.show(this.#nearest(from + part * (to - from))[0], this);
  }

  #key(event) {
    const points = this.#shown?.points ?? [], step = { 1: 1, 5: 5, 15: 15 }[this.#shown?.minutes];
    const now = this.#moment.at === null ? points.length - 1 : points.indexOf(this.#nearest(this.#moment.at));
    const to = {
      ArrowLeft: now - (this.#moment.at === null ? 0 : step), ArrowDown: now - step, ArrowRight: now + step,
      ArrowUp: now + step, PageDown: now - 10 * step, PageUp: now + 10 * step, Home: 0, End: points.length - 1,
    }[event.key];
    if (event.key === 'Escape') this.#moment.show(null, null);
    if (to === undefined || points.length === 0) return;
    event.preventDefault();
    this.#moment.show(points[Math.min(Math.max(to, 0), points.length - 1)][0], this);
  }

  // A dozen moments, the newest first: as many as one reads.
  #fillTable() {
    if (!this.#table.open || !this.#shown) return;
    const { points, minutes } = this.#shown, step = minutes * 5;
    const rows = points.filter((_, i) => (points.length - 1 - i) % step === 0).reverse().slice(0, 12);
    this.#table.querySelector('[data-rows]').replaceChildren(...rows.map((point) => html('tr', {},
      html('td', {}, clock(point[0])),
      ...this.#series.map(({ column }) =>
        html('td', { class: 'number' }, withUnit(point[column] ?? null, this.#unit))))));
  }
}
