// Makes pages move that are complete without it: the console's charts, the orders board, the alerts.
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
const short = (value) => (value >= 100 ? Math.round(value).toString() : (Math.round(value * 100) / 100).toString());

const WIDTH = 480, HEIGHT = 180, LEFT = 44, BOTTOM = 20, SECONDS = 300;

/** A chart of some columns of the points: [ms, requests, errors, p50, p95, p99]. */
function chart(title, lines) {
  const plot = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': title });
  const names = lines.map(({ name }) => name).join(', ');
  const figure = html('figure', {}, html('figcaption', {}, lines.length > 1 ? `${title}: ${names}` : title), plot);
  const draw = (points) => {
    const newest = points.at(-1)[0];
    const top = Math.max(1, ...points.flatMap((point) => lines.map(({ column }) => point[column]))) * 1.1;
    const x = (at) => LEFT + (WIDTH - LEFT - 6) * (1 - (newest - at) / 1000 / SECONDS);
    const y = (value) => (HEIGHT - BOTTOM) * (1 - value / top) + 4;
    const grid = [0, 0.5, 1].flatMap((part) => [
      svg('line', { class: 'grid', x1: LEFT, x2: WIDTH - 6, y1: y(top * part / 1.1), y2: y(top * part / 1.1) }),
      svg('text', { x: LEFT - 6, y: y(top * part / 1.1) + 4, 'text-anchor': 'end' }, short(top * part / 1.1)),
    ]);
    const shown = points.filter(([at]) => newest - at <= SECONDS * 1000);
    const paths = lines.map(({ column, style }) => svg('polyline', {
      class: `line ${style ?? ''}`, points: shown.map((point) => `${x(point[0]).toFixed(1)},${y(point[column]).toFixed(1)}`).join(' '),
    }));
    plot.replaceChildren(...grid, ...paths,
      svg('text', { x: LEFT, y: HEIGHT - 3 }, '5 minutes ago'), svg('text', { x: WIDTH - 6, y: HEIGHT - 3, 'text-anchor': 'end' }, 'now'));
  };
  return { figure, draw };
}

function fill(name, map, format) {
  const rows = Object.entries(map).map(([key, value]) => html('tr', {}, html('td', {}, key), html('td', { class: 'number' }, format(value))));
  document.querySelector(`[data-map="${name}"]`).replaceChildren(...rows);
}

function liveConsole() {
  const charts = [
    chart('Requests a second', [{ name: 'requests', column: 1 }]),
    chart('Latency in ms', [{ name: 'p50 (solid)', column: 3 }, { name: 'p95 (dashed)', column: 4, style: 'second' }, { name: 'p99 (dotted)', column: 5, style: 'third' }]),
    chart('Errors a second', [{ name: 'errors', column: 2, style: 'third' }]),
  ];
  document.querySelector('[data-charts]').replaceChildren(...charts.map(({ figure }) => figure));
  let points = [];
  const draw = () => points.length && charts.forEach((each) => each.draw(points));
  const show = (name, text) => { document.querySelector(`[data-figure="${name}"]`).textContent = text; };
  const source = new EventSource('/live/events');
  source.addEventListener('history', ({ data }) => { points = JSON.parse(data); draw(); });
  source.addEventListener('second', ({ data }) => {
    const second = JSON.parse(data);
    points = [...points, second.point].slice(-SECONDS);
    draw();
    const [, rate, errors, p50, p95, p99] = second.point;
    for (const [name, value] of Object.entries({ rate, errors, p50, p95, p99 })) show(name, short(value));
    show('total', String(second.requests));
    fill('routes', Object.fromEntries(Object.entries(second.routes).sort(([, one], [, other]) => other - one)), String);
    fill('figures', second.figures, short);
  });
}

function board(table) {
  const state = document.querySelector('[data-board-state]');
  const { status, customer, currency } = table.dataset;
  const source = new EventSource(table.dataset.board);
  source.addEventListener('open', () => { state.textContent = 'Live: new orders come in at the top.'; });
  source.addEventListener('error', () => { state.textContent = 'Not live at the moment; trying again.'; });
  source.addEventListener('order', ({ data }) => {
    const order = JSON.parse(data);
    const old = document.getElementById(order.order_id);
    const fits = (!status || order.status === status) && (!customer || order.customer_id === customer);
    if (!fits) return old?.remove();
    const row = html('tr', { id: order.order_id, class: 'new' },
      html('td', {}, html('a', { href: `/order/${order.order_id}` }, order.order_id)),
      html('td', {}, order.customer_id),
      html('td', {}, html('span', { class: `status ${order.status}` }, order.status)),
      html('td', { class: 'number minor' }, String(order.items.length)),
      html('td', { class: 'number' }, `${order.total_amount.toFixed(2)} ${currency}`),
      html('td', { class: 'minor' }, order.created_at.slice(0, 19).replace('T', ' ')));
    if (old) old.replaceWith(row);
    else table.tBodies[0].prepend(row);
    while (table.tBodies[0].rows.length > 50) table.tBodies[0].lastElementChild.remove();
  });
}

function order(element) {
  const source = new EventSource('/board/events');
  source.addEventListener('order', ({ data }) => {
    const { order_id: id, status } = JSON.parse(data);
    if (id === element.dataset.order && status !== element.dataset.status) location.reload();
  });
}

function notifications(element) {
  const source = new EventSource('/events');
  source.addEventListener('count', ({ data }) => { if (data !== element.dataset.notifications) location.reload(); });
}

if (document.querySelector('[data-live]')) liveConsole();
const orders = document.querySelector('[data-board]');
if (orders) board(orders);
const one = document.querySelector('[data-order]');
if (one) order(one);
const told = document.querySelector('[data-notifications]');
if (told) notifications(told);
