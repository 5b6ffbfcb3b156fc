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
    this.error_code = errorCode(answer);
    this.timings = answer.timings;
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

function errorCode({ error, isTimeout, status }) {
  if (error) return isTimeout ? 1050 : 1212;
  return status >= 400 ? 1000 + status : 0;
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
  // A name stands for the address, too, so that each address is no series.
  const name = params.tags?.name ?? sent.url;
  const code = errorCode(answer);
  const tags = { method, name, url: name, proto: answer.proto ?? '', status: String(answer.status), expected_response: String(isExpected), error: answer.error ?? '', error_code: code ? String(code) : '', ...params.tags };
  vu.sample({ name: 'http_reqs', type: 'counter' }, 1, tags);
  for (const [part, time] of Object.entries(answer.timings)) vu.sample({ name: `http_req_${part}`, type: 'trend', contains: 'time' }, time, tags);
  vu.data.sent += answer.sent;
  vu.data.received += answer.received;
  vu.sample({ name: 'http_req_failed', type: 'rate' }, !isExpected, tags);
  return new Response(sent, answer);
}

export const get = (url, params) => request('GET', url, null, params);
export const post = (url, body, params) => request('POST', url, body, params);
export const put = (url, body, params) => request('PUT', url, body, params);
export const del = (url, body, params) => request('DELETE', url, body, params);

export default { request, get, post, put, del, expectedStatuses };
