// Makes pages move that are complete without it: the orders board, an order, the alerts.
import { follow, html } from './follow.js';

// As ShortId does.
const shortId = (id) => (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id) ? `${id.slice(28, 32)}-${id.slice(32)}`.toUpperCase() : id);

function board(table) {
  const { status, customer, after } = table.dataset;
  const pause = document.querySelector('[data-board-pause]'), note = document.querySelector('[data-board-held]');
  const held = new Map(), most = 100;
  let waiting = null, isPaused = false, isUnderPointer = false, isBehind = false;

  const statusOf = (order) => html('span', { class: `status ${order.status}` }, order.status);
  const row = (order) => html('tr', { 'data-order-id': order.order_id, 'data-placed': order.created_at, class: 'new' },
    html('td', {}, html('a', { href: `/order/${order.order_id}` }, html('strong', {}, shortId(order.order_id)), ' ',
      html('span', { class: 'id minor' }, shortId(order.order_id) === order.order_id ? '' : order.order_id))),
    html('td', {}, order.customer_id),
    html('td', {}, statusOf(order)),
    html('td', { class: 'number minor' }, order.lines.toLocaleString('en-US')),
    html('td', { class: 'number' }, order.total_amount.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })),
    html('td', { class: 'minor' }, order.created_at.slice(0, 19).replace('T', ' ')));

  const isHeld = () => isPaused || isUnderPointer;
  const tell = () => {
    const count = isBehind ? `More than ${most}` : held.size;
    const why = isPaused ? 'Paused.' : 'Rows stand still while the pointer or the focus is on them.';
    note.textContent = !isHeld() || (!count && !isPaused) ? '' : count ? `${why} ${count} ${count === 1 ? 'change waits' : 'changes wait'}.` : why;
  };

  // A row that is there gets its new status at once. A row that comes or goes moves the others, and may have to wait.
  const put = (order) => {
    const old = [...table.tBodies[0].rows].find((each) => each.dataset.orderId === order.order_id);
    const fits = (!status || order.status === status) && (!customer || order.customer_id === customer);
    if (fits && old) return old.querySelector('.status').replaceWith(statusOf(order));
    held.delete(order.order_id);
    // The rows are by the time of placing: an old order that changes does not come to the top.
    const next = [...table.tBodies[0].rows].find((each) => each.dataset.placed <= order.created_at);
    if (!old && (!fits || (!next && table.tBodies[0].rows.length >= 50))) return tell();
    if (isHeld()) {
      held.set(order.order_id, order);
      if (held.size > most) isBehind = true;
      if (isBehind) held.clear();
      return tell();
    }
    if (old) old.remove();
    else table.tBodies[0].insertBefore(row(order), next ?? null);
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

const orders = document.querySelector('[data-board]');
if (orders) board(orders);
const one = document.querySelector('[data-order]');
if (one) order(one);
const told = document.querySelector('[data-notifications]');
if (told) notifications(told);
