import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { tempFolder } from './temp.ts';

const SAMPLE = join(import.meta.dirname, '../../examples/wasmpay/policies/wasmpay.yaml');

/** The ports that the sample policy of wasmPay names: of the local AWS STS, and of the local model endpoint. */
const STS_PORT = '8091';
const MODEL_PORT = '8092';

/** What `svidx dev` is told so that wasmPay can run in it: the sample policy, with ports that are free. */
export async function wasmpayDevArgs(): Promise<readonly string[]> {
  const [sts, model] = await freePorts();
  const folder = await tempFolder();
  const text = await readFile(SAMPLE, 'utf8');
  await writeFile(join(folder, 'wasmpay.yaml'), text.replaceAll(STS_PORT, sts).replaceAll(MODEL_PORT, model));
  return ['--policies', folder, '--sts-listen', `127.0.0.1:${sts}`, '--model-listen', `127.0.0.1:${model}`];
}

/** Two ports that nobody listens on: they were had at once, so they are not the same. */
async function freePorts(): Promise<readonly [string, string]> {
  const servers = [createServer().listen(0, '127.0.0.1'), createServer().listen(0, '127.0.0.1')];
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const [first = '', second = ''] = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' ? String(address?.port) : '';
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return [first, second];
}
