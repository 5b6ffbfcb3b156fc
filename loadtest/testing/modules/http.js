const vu = globalThis.k6StandIn;

const isSuccess = expectedStatuses({ min: 200, max: 399 });
const PARAMS = new Set(['headers', 'tags', 'timeout', 'responseCallback']);

/** Header names as k6 has them: Go writes ETag as Etag. */
const canonical = (name) => name.toLowerCase().replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());

class Response {
  constructor(request, answer) {
    this.request = request;
    this.url = request.url;
    this.status = answer.status;
    this.body = answer.body;
    this.error = answer.error ?? '';
    this.error_code = answer.error ? (answer.isTimeout ? 1050 : 1212) : 0;
    this.timings = { duration: answer.duration };
    this.headers = Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [canonical(name), String(value)]));
  }

  /** The part of the body at a path as gjson reads it: names, indexes, and # for the length. */
  json(path) {
    if (this.body === null || this.body === '') throw new Error(`cannot parse json of an empty body (${this.request.method} ${this.url}, ${this.status})`);
    let value = JSON.parse(this.body);
    for (const step of path === undefined ? [] : path.split('.')) {
      if (value === null || value === undefined) return undefined;
      value = step === '#' ? (Array.isArray(value) ? value.length : undefined) : value[step];
    }
    return value;
  }
}

export function expectedStatuses(...statuses) {
  return (status) => statuses.some((one) => (typeof one === 'number' ? one === status : status >= one.min && status <= one.max));
}

export function request(method, url, body = null, params = {}) {
  for (const name of Object.keys(params)) if (!PARAMS.has(name)) throw new Error(`the stand-in knows no parameter ${name}`);
  if (body !== null && typeof body !== 'string') throw new Error('the stand-in sends text alone');
  const sent = { method, url: String(url), body, headers: { 'User-Agent': 'k6-stand-in', ...params.headers }, timeout: params.timeout ?? '60s' };
  const answer = vu.send(sent);
  const isExpected = (params.responseCallback ?? isSuccess)(answer.status);
  const tags = { method, name: params.tags?.name ?? sent.url, status: String(answer.status), expected_response: String(isExpected), ...params.tags };
  vu.sample({ name: 'http_reqs', type: 'counter' }, 1, tags);
  vu.sample({ name: 'http_req_duration', type: 'trend', contains: 'time' }, answer.duration, tags);
  vu.sample({ name: 'http_req_failed', type: 'rate' }, !isExpected, tags);
  return new Response(sent, answer);
}

export const get = (url, params) => request('GET', url, null, params);
export const post = (url, body, params) => request('POST', url, body, params);
export const put = (url, body, params) => request('PUT', url, body, params);
export const del = (url, body, params) => request('DELETE', url, body, params);

export default { request, get, post, put, del, expectedStatuses };
