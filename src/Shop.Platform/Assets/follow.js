// What the scripts of the pages share: elements, and a feed of events that a page follows.
export const svg = (name, attributes, ...children) => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};
export const html = (name, attributes, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(key, value);
  element.append(...children);
  return element;
};
export const clock = (at = Date.now()) => new Date(at).toLocaleTimeString(undefined, { hour12: false });

const POLL = 3000, LOOK = 1000;

/**
 * Follows a feed of events: by a stream while there is a place for it, else by asking again and again. Says in a line
 * how it stands, and marks the part of the page that the feed is for if what it shows may be old.
 * @param {{ url: string, after?: string, silence: number, part?: HTMLElement, forms?: ParentNode, line: Element,
 *   live: string, on: Record<string, (data: any) => void>, lost?: (since: string) => void }} feed
 */
export function follow(feed) {
  const { url, after, silence, line, live, on, lost } = feed;
  const { part = document.querySelector('main'), forms = document } = feed;
  let source, state, id = after, heard = performance.now(), heardAt = clock();

  const enter = (next) => {
    if (next === state) return;
    state = next;
    part.dataset.connection = state;
    line.textContent = {
      live,
      polling: `All places for live viewers are taken: this page asks every ${POLL / 1000} seconds instead.`,
      lost: `Not connected. What is shown is of ${heardAt} and may be old; trying again.`,
    }[state];
    for (const button of forms?.querySelectorAll('form[method=post] button') ?? []) button.disabled = state === 'lost';
    if (state === 'lost') lost?.(heardAt);
  };

  const take = (next, name, data, eventId) => {
    heard = performance.now();
    heardAt = clock();
    id = eventId || id;
    enter(next);
    on[name]?.(data);
  };

  // No header says it: another service would be asked first whether it allows such a header.
  const since = () => (id ? `${url}?after=${encodeURIComponent(id)}` : url);

  const stream = () => {
    heard = performance.now();
    const mine = source = new EventSource(since());
    for (const name of ['beat', ...Object.keys(on)]) {
      mine.addEventListener(name, (event) =>
        mine === source && take('live', name, JSON.parse(event.data), event.lastEventId));
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
      const headers = { Accept: 'application/json' };
      const answer = await fetch(since(), { headers, cache: 'no-store', signal: AbortSignal.timeout(silence) });
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
