import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';

const SAMPLE = new URL('../wasmpay/policies/wasmpay.yaml', import.meta.url);

/** The ports that the sample policy names: of the local AWS STS, and of the local model endpoint. */
const STS_PORT = '8091';
const MODEL_PORT = '8092';

export interface WasmpayPolicy {
  /** The sample policy of wasmPay, with ports that are free in place of its own. */
  readonly text: string;
  /** What `svidx dev` is told beside its policies, so that it listens there. */
  readonly devArgs: readonly string[];
}

export async function wasmpayPolicy(): Promise<WasmpayPolicy> {
  const [sts, model] = await freePorts();
  const text = await readFile(SAMPLE, 'utf8');
  return {
    text: text.replaceAll(STS_PORT, sts).replaceAll(MODEL_PORT, model),
    devArgs: ['--sts-listen', `127.0.0.1:${sts}`, '--model-listen', `127.0.0.1:${model}`],
  };
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
