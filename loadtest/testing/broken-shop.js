// A shop that is broken: it stands between a script and the real one, and changes what is asked or what is answered.

import http from 'node:http';

const OF_A_CONNECTION = ['connection', 'keep-alive', 'transfer-encoding'];

/**
 * @typedef {{ service: string, method: string, path: string, headers: Record<string, any>, body: string }} Call
 * @typedef {{ status: number, headers: Record<string, any>, body: string }} Answer
 * @typedef {(call: Call, ask: (call: Call) => Promise<Answer>) => Promise<Answer | null>} Fault null: the connection dies
 */

/**
 * @param {Record<string, string>} env the addresses of the real shop
 * @param {Fault} fault
 * @returns {Promise<{ env: Record<string, string>, stop: () => Promise<void> }>} the addresses of the broken one
 */
export async function breakShop(env, fault) {
  const agent = new http.Agent({ keepAlive: true });
  const servers = [];
  const broken = {};
  for (const [name, address] of Object.entries(env)) {
    const server = http.createServer(async (request, response) => {
      const call = { service: name.replace('_URL', '').toLowerCase(), method: request.method, path: request.url, headers: request.headers, body: await text(request) };
      const answer = await fault(call, (asked) => ask(agent, address, asked));
      if (answer === null) return request.socket.destroy();
      response.writeHead(answer.status, { ...answer.headers, 'content-length': Buffer.byteLength(answer.body) });
      response.end(answer.body);
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    servers.push(server);
    broken[name] = `http://127.0.0.1:${server.address().port}`;
  }
  const stop = async () => {
    for (const server of servers) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    agent.destroy();
  };
  return { env: broken, stop };
}

/** @returns {Promise<Answer>} */
function ask(agent, address, { method, path, headers, body }) {
  const sent = { ...without(headers, 'host', ...OF_A_CONNECTION), 'content-length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const request = http.request(address + path, { method, agent, headers: sent }, async (response) => {
      resolve({ status: response.statusCode, headers: without(response.headers, ...OF_A_CONNECTION), body: await text(response) });
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** Headers less some of them. */
export function without(headers, ...names) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
}

async function text(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** A fault in the answers to some requests: `path` as a regular expression of all of it, without the query. */
export const answers = (method, path, change) => async (call, ask) => {
  const isMeant = call.method === method && new RegExp(`^${path}$`).test(call.path.split('?')[0]);
  return isMeant ? change(call, ask) : ask(call);
};

/** A fault in the JSON of the answers that are no errors. */
export const json = (method, path, change) =>
  answers(method, path, async (call, ask) => {
    const answer = await ask(call);
    return answer.status < 300 ? { ...answer, body: JSON.stringify(change(JSON.parse(answer.body), call)) } : answer;
  });

/** An answer that the real shop knows nothing of. */
export const answer = (status, body, headers = {}) => ({ status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });
