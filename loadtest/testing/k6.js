// node testing/k6.js [--scale 0.1] [-e NAME=value]… [--out experimental-prometheus-rw] script.js: runs a k6 script on the stand-in. Ends with 99 where a
// threshold is broken.

import { parseArgs } from 'node:util';
import { RemoteWrite } from './remote-write.js';
import { run } from './runner.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { env: { type: 'string', short: 'e', multiple: true, default: [] }, scale: { type: 'string', default: '1' }, out: { type: 'string', short: 'o' } },
});
const given = values.env.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]);
const env = { ...process.env, ...Object.fromEntries(given) }; // as k6 run does
if (values.out && values.out !== 'experimental-prometheus-rw') throw new Error(`the stand-in has no output ${values.out}`);
const { summary, files, broken, errors, failures } = await run(positionals[0], { env, scale: Number(values.scale), output: values.out && new RemoteWrite(process.env) });

process.stdout.write(files.stdout ?? `${JSON.stringify(summary.metrics, null, 2)}\n`);
for (const [what, count] of failures) console.error(`failed ${count} times: ${what}`);
for (const error of errors.slice(0, 5)) console.error(error);
for (const { name, rule } of broken) console.error(`broken: ${name} ${rule}`);
process.exitCode = broken.length > 0 || errors.length > 0 ? 99 : 0;
