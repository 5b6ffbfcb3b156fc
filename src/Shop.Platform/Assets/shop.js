// Makes pages move that are complete without it: the console's charts, the orders board, an order, the alerts.
const svg = (name, attributes, ...children) => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};
const html = (name, attributes, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(key, value);
  element.append(...children);
  return element;
};
const short = (value) => (value === null ? '–' : value >= 100 ? Math.round(value).toString() : (Math.round(value * 100) / 100).toString());
const clock = () => new Date().toLocaleTimeString(undefined, { hour12: false });

const POLL = 3000, LOOK = 1000;

/**
 * Follows a feed of events: by a stream while there is a place for it, else by asking again and again. Says in a line how it stands, and marks the page if
 * what it shows may be old.
 * @param {{ url: string, after?: string, silence: number, line: Element, live: string, on: Record<string, (data: any) => void>, lost?: (since: string) => void }} feed
 */
function follow({ url, after, silence, line, live, on, lost }) {
  let source, state, id = after, heard = performance.now(), heardAt = clock();

  const enter = (next) => {
    if (next === state) return;
    state = next;
    document.querySelector('main').dataset.connection = state;
    line.textContent = { live, polling: `All places for live viewers are taken: this page asks every ${POLL / 1000} seconds instead.`,
      lost: `Not connected. What is shown is of ${heardAt} and may be old; trying again.` }[state];
    for (const button of document.querySelectorAll('form[method=post] button')) button.disabled = state === 'lost';
    if (state === 'lost') lost?.(heardAt);
  };

  const take = (next, name, data, eventId) => {
    heard = performance.now();
    heardAt = clock();
    id = eventId || id;
    enter(next);
    on[name]?.(data);
  };

  const stream = () => {
    heard = performance.now();
    const mine = source = new EventSource(id ? `${url}?after=${encodeURIComponent(id)}` : url);
    for (const name of ['beat', ...Object.keys(on)]) {
      mine.addEventListener(name, (event) => mine === source && take('live', name, JSON.parse(event.data), event.lastEventId));
    }
    mine.addEventListener('error', () => {
      if (mine !== source) return;
      // The browser tries again by itself after a broken connection, but not after an answer that is no stream.
      if (mine.readyState !== EventSource.CLOSED) return enter('lost');
      source = null;
      if (state === 'live') enter('lost');
      setTimeout(poll, state ? POLL : 0);
    });
  };

  const poll = async () => {
    try {
      const headers = { Accept: 'application/json', ...(id && { 'Last-Event-ID': id }) };
      const answer = await fetch(url, { headers, cache: 'no-store', signal: AbortSignal.timeout(silence) });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const { id: newest, places, events } = await answer.json();
      take('polling');
      for (const { event, data } of events) on[event]?.(data);
      id = newest;
      if (places > 0) return stream();
    } catch {
      enter('lost');
    }
    setTimeout(poll, POLL);
  };

  // A connection can die without a word; then it is silent for longer than the shop ever is.
  setInterval(() => {
    if (!source || performance.now() - heard < silence) return;
    source.close();
    enter('lost');
    stream();
  }, LOOK);
  stream();
}

const WIDTH = 480, HEIGHT = 180, LEFT = 44, BOTTOM = 20, MINUTES = 5;

/** A line through the points that have a value: where there is none it is broken, and a value alone is a dot. */
function path(points, value, place) {
  let isBroken = true;
  return points.map((point) => {
    const start = isBroken;
    isBroken = value(point) === null;
    return isBroken ? '' : `${start ? 'M' : 'L'}${place(point)}${start ? 'h0' : ''}`;
  }).join('');
}

/** A chart of some columns of the points: [ms, requests, failed, p50, p95, p99, refused]. */
function chart(title, lines) {
  const plot = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': title });
  const names = lines.map(({ name }) => name).join(', ');
  const figure = html('figure', {}, html('figcaption', {}, lines.length > 1 ? `${title}: ${names}` : title), plot);
  const draw = (points, to) => {
    const newest = points.at(-1)[0];
    // As many minutes as there is something to show of.
    const minutes = Math.min(MINUTES, Math.max(1, Math.ceil((newest - points[0][0]) / 60_000)));
    const from = `${minutes === 1 ? 'a minute' : `${minutes} minutes`} ${to === 'now' ? 'ago' : 'before'}`;
    const shown = points.filter(([at]) => newest - at <= minutes * 60_000);
    const top = Math.max(1, ...shown.flatMap((point) => lines.map(({ column }) => point[column] ?? 0))) * 1.1;
    const x = (at) => LEFT + (WIDTH - LEFT - 6) * (1 - (newest - at) / 60_000 / minutes);
    const y = (value) => (HEIGHT - BOTTOM) * (1 - value / top) + 4;
    const grid = [0, 0.5, 1].flatMap((part) => [
      svg('line', { class: 'grid', x1: LEFT, x2: WIDTH - 6, y1: y(top * part / 1.1), y2: y(top * part / 1.1) }),
      svg('text', { x: LEFT - 6, y: y(top * part / 1.1) + 4, 'text-anchor': 'end' }, short(top * part / 1.1)),
    ]);
    const paths = lines.map(({ column, style }) => svg('path', {
      class: `line ${style ?? ''}`, d: path(shown, (point) => point[column], (point) => `${x(point[0]).toFixed(1)},${y(point[column]).toFixed(1)}`),
    }));
    plot.replaceChildren(...grid, ...paths,
      svg('text', { x: LEFT, y: HEIGHT - 3 }, from), svg('text', { x: WIDTH - 6, y: HEIGHT - 3, 'text-anchor': 'end' }, to));
  };
  return { figure, draw };
}

function fill(name, map, format) {
  const rows = Object.entries(map).map(([key, value]) => html('tr', {}, html('td', {}, key), html('td', { class: 'number' }, format(value))));
  document.querySelector(`[data-map="${name}"]`).replaceChildren(...rows);
}

function showTraffic(rate) {
  const part = (name) => document.querySelector(`[data-traffic="${name}"]`);
  part('state').textContent = rate === null ? 'Not known.' : rate > 0 ? `Running at ${rate} requests a second, on all three services together.` : 'Off.';
  if (rate === null || !part('start')) return;
  part('start').textContent = rate > 0 ? 'Change the rate' : 'Start';
  part('stop').hidden = rate === 0;
}

function liveConsole() {
  const charts = [
    chart('Requests a second', [{ name: 'requests', column: 1 }]),
    chart('Latency in ms', [{ name: 'p50 (solid)', column: 3 }, { name: 'p95 (dashed)', column: 4, style: 'second' }, { name: 'p99 (dotted)', column: 5, style: 'third' }]),
    chart('Refused or failed a second', [{ name: '4xx (dashed)', column: 6, style: 'second' }, { name: '5xx (dotted)', column: 2, style: 'third' }]),
  ];
  document.querySelector('[data-charts]').replaceChildren(...charts.map(({ figure }) => figure));
  let points = [];
  const draw = (to) => points.length && charts.forEach((each) => each.draw(points, to));
  const show = (name, text) => { document.querySelector(`[data-figure="${name}"]`).textContent = text; };
  follow({
    url: '/live/events',
    silence: 4000,
    line: document.querySelector('[data-live-state]'),
    live: 'Live.',
    on: {
      history: (history) => { points = history; draw('now'); },
      second: (second) => {
        if (second.point && second.point[0] !== points.at(-1)?.[0]) points = [...points, second.point].slice(-60 * MINUTES);
        draw('now');
        const [, rate, errors, p50, p95, p99, refused] = second.point ?? Array(7).fill(null);
        for (const [name, value] of Object.entries({ rate, refused, errors, p50, p95, p99 })) show(name, short(value));
        show('total', String(second.requests));
        showTraffic(second.traffic);
        fill('codes', second.codes, String);
        fill('routes', Object.fromEntries(Object.entries(second.routes).sort(([, one], [, other]) => other - one)), String);
        fill('figures', second.figures, short);
      },
    },
    // A shop that does not answer has no rate.
    lost: (since) => {
      for (const name of ['rate', 'refused', 'errors', 'p50', 'p95', 'p99', 'total']) show(name, '–');
      showTraffic(null);
      draw(since);
    },
  });
}

// As ShortId does.
const shortId = (id) => (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id) ? `${id.slice(28, 32)}-${id.slice(32)}`.toUpperCase() : id);

function board(table) {
  const { status, customer, currency, after } = table.dataset;
  const pause = document.querySelector('[data-board-pause]'), note = document.querySelector('[data-board-held]');
  const held = new Map(), most = 100;
  let waiting = null, isPaused = false, isUnderPointer = false, isBehind = false;

  const statusOf = (order) => html('span', { class: `status ${order.status}` }, order.status);
  const row = (order) => html('tr', { 'data-order-id': order.order_id, class: 'new' },
    html('td', {}, html('a', { href: `/order/${order.order_id}` }, html('strong', {}, shortId(order.order_id)), ' ',
      html('span', { class: 'id minor' }, shortId(order.order_id) === order.order_id ? '' : order.order_id))),
    html('td', {}, order.customer_id),
    html('td', {}, statusOf(order)),
    html('td', { class: 'number minor' }, order.lines.toLocaleString('en-US')),
    html('td', { class: 'number' }, `${order.total_amount.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })} ${currency}`),
    html('td', { class: 'minor' }, order.created_at.slice(0, 19).replace('T', ' ')));

  const isHeld = () => isPaused || isUnderPointer;
  const tell = () => {
    const count = isBehind ? `More than ${most}` : held.size;
    const why = isPaused ? 'Paused.' : 'No row moves while you are at it.';
    note.textContent = !isHeld() || (!count && !isPaused) ? '' : count ? `${why} ${count} ${count === 1 ? 'change waits' : 'changes wait'}.` : why;
  };

  // A row that is there gets its new status at once. A row that comes or goes moves the others, and may have to wait.
  const put = (order) => {
    const old = [...table.tBodies[0].rows].find((each) => each.dataset.orderId === order.order_id);
    const fits = (!status || order.status === status) && (!customer || order.customer_id === customer);
    if (fits && old) return old.querySelector('.status').replaceWith(statusOf(order));
    held.delete(order.order_id);
    if (!fits && !old) return tell();
    if (isHeld()) {
      held.set(order.order_id, order);
      if (held.size > most) isBehind = true;
      if (isBehind) held.clear();
      return tell();
    }
    if (old) old.remove();
    else table.tBodies[0].prepend(row(order));
    while (table.tBodies[0].rows.length > 50) table.tBodies[0].lastElementChild.remove();
  };

  // More has happened than was told: the page is read again, and what comes meanwhile is put into it afterwards.
  const readAgain = async () => {
    if (waiting) return;
    waiting = [];
    try {
      const answer = await fetch(location.href, { headers: { Accept: 'text/html' }, cache: 'no-store' });
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      const rows = page.querySelector('[data-board] tbody');
      if (answer.ok && rows) table.tBodies[0].replaceWith(rows);
    } catch {
      // The shop is gone again: the next connection begins with another reset.
    }
    const orders = waiting;
    waiting = null;
    orders.forEach(put);
  };

  const goOn = () => {
    if (!isHeld()) {
      const orders = [...held.values()];
      held.clear();
      if (isBehind) readAgain();
      else orders.forEach(put);
      isBehind = false;
    }
    tell();
  };
  // A finger points at nothing once it is up.
  for (const [name, isAtIt] of [['pointerenter', true], ['pointerleave', false], ['focusin', true], ['focusout', false]]) {
    table.addEventListener(name, (event) => {
      if (event.pointerType === 'touch') return;
      isUnderPointer = isAtIt;
      goOn();
    });
  }
  pause.hidden = false;
  pause.addEventListener('click', () => {
    isPaused = !isPaused;
    pause.textContent = isPaused ? 'Go on' : 'Pause';
    pause.setAttribute('aria-pressed', isPaused);
    goOn();
  });

  follow({
    url: table.dataset.board,
    after,
    silence: 12_000,
    line: document.querySelector('[data-board-state]'),
    live: 'Live: new orders come in at the top.',
    on: {
      reset: () => {
        if (!isHeld()) return readAgain();
        isBehind = true;
        return tell();
      },
      order: (order) => (waiting ? waiting.push(order) : put(order)),
    },
  });
}

function order(element) {
  follow({
    url: '/board/events',
    after: element.dataset.after,
    silence: 12_000,
    line: document.querySelector('[data-order-state]'),
    live: '',
    on: {
      reset: () => location.reload(),
      order: ({ order_id: id, status }) => id === element.dataset.order && status !== element.dataset.status && location.reload(),
    },
  });
}

function notifications(element) {
  follow({
    url: '/events',
    silence: 12_000,
    line: document.querySelector('[data-notifications-state]'),
    live: '',
    on: { count: (count) => String(count) !== element.dataset.notifications && location.reload() },
  });
}

if (document.querySelector('[data-live]')) liveConsole();
const orders = document.querySelector('[data-board]');
if (orders) board(orders);
const one = document.querySelector('[data-order]');
if (one) order(one);
const told = document.querySelector('[data-notifications]');
if (told) notifications(told);
