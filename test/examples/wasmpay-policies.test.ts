import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type ComponentPolicy, compilePolicies } from '../../src/policy/policy-set.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { startDev } from '../support/dev.ts';
import { wasmpayDevArgs } from '../support/wasmpay.ts';

const FOLDER = join(import.meta.dirname, '../../examples/wasmpay');

async function samplePolicy(): Promise<ComponentPolicy> {
  const text = await readFile(join(FOLDER, 'policies/wasmpay.yaml'), 'utf8');
  const policy = compilePolicies([{ file: 'wasmpay.yaml', text }], TrustDomain.parse('wasmcloud.dev')).get('wasmpay');
  if (policy === undefined) throw new Error('no policy of wasmpay');
  return policy;
}

test('the policy of wasmPay has a value for every key that the component asks for', async () => {
  const source = await readFile(join(FOLDER, 'config.ts'), 'utf8');
  const [, union = ''] = /type ConfigKey =([^;]+);/.exec(source) ?? [];
  const keys = [...union.matchAll(/'(\w+)'/g)].map(([, key = '']) => key);
  expect(keys).toContain('MODEL_URL');
  const { config } = await samplePolicy();
  expect(config.map(([key]) => key).sort()).toEqual(keys.sort());
});

test('what the component signs itself goes elsewhere than what the host signs', async () => {
  const { config, grants } = await samplePolicy();
  const values = new Map(config);
  const injected = new URL(values.get('INJECT_URL') ?? '');
  expect(grants.flatMap(({ injection }) => injection ?? [])).toEqual([
    { scheme: 'http', host: injected.hostname, port: Number(injected.port), service: 'bedrock' },
  ]);
  expect(new URL(values.get('MODEL_URL') ?? '').hostname).not.toBe(injected.hostname);
});

test('svidx dev has what the policy of wasmPay names, and hands out no credentials that are only injected', async () => {
  const dev = await startDev(await wasmpayDevArgs());
  onTestFinished(dev.close);
  const claims = await dev.svidx(['token', '--component', 'wasmpay', '--audience', 'sts.amazonaws.com']);
  expect([claims.code, claims.stderr]).toEqual([0, '']);
  const granted = await dev.svidx(['credentials', 'bedrock', '--component', 'wasmpay']);
  expect(JSON.parse(granted.stdout)).toMatchObject({ region: 'us-east-1' });
  const injected = await dev.svidx(['credentials', 'bedrock-injected', '--component', 'wasmpay']);
  expect([injected.code, injected.stdout]).toEqual([1, '']);
  expect(injected.stderr).toContain('policy_denied');
});
