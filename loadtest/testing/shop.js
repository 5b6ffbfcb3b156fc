// The real shop on free ports, for a test.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const HOST = new URL('../../src/Shop.Host/bin/Debug/net10.0/Shop.Host.dll', import.meta.url).pathname;

export async function startShop() {
  const data = mkdtempSync(path.join(tmpdir(), 'shop-load-'));
  const process = spawn('dotnet', [HOST, `--Shop:DataDirectory=${data}`, '--Shop:Products:Port=0', '--Shop:Orders:Port=0', '--Shop:Inventory:Port=0']);
  const ended = new Promise((resolve) => process.on('exit', resolve));
  let log = '';
  const env = await new Promise((resolve, reject) => {
    const read = (chunk) => {
      log += chunk;
      const address = (service) => new RegExp(`${service}-service +(http://\\S+)`).exec(log)?.[1];
      if (address('inventory')) resolve({ PRODUCT_URL: address('product'), ORDER_URL: address('order'), INVENTORY_URL: address('inventory') });
    };
    process.stdout.on('data', read);
    process.stderr.on('data', read);
    ended.then(() => reject(new Error(`The shop did not start; build it first (dotnet build). ${log}`)));
  });
  return {
    env,
    stop: async () => {
      process.kill();
      await ended;
      rmSync(data, { recursive: true });
    },
  };
}

/** The sum of a metric over its series. */
export async function metric(url, name) {
  const text = await (await fetch(`${url}/metrics`)).text();
  return [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, 'gm'))].reduce((sum, [, value]) => sum + Number(value), 0);
}
