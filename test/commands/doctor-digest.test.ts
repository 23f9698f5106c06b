import { describe, expect, test } from 'vitest';
import { check, expectDiagnosis, startChain } from '../support/doctor.ts';
import { API_POLICY } from '../support/world.ts';

const DIGEST = `sha256:${'ab'.repeat(32)}`;
const PINNED = `${API_POLICY}digest: ${DIGEST}\ndigestSelector: true\n`;

const failures = (checks: readonly { status: string; name: string }[]): string[] =>
  checks.filter(({ status }) => status === 'fail').map(({ name }) => name);

describe('a policy that has SPIRE told the digest', () => {
  test('is looked at with the bytes that it pins, to the exchange', async () => {
    const chain = await startChain();
    await chain.writePolicy('api.yaml', PINNED);
    await chain.register();
    const checks = await chain.examine({ component: 'api' });
    expect(failures(checks)).toEqual([]);
    expect(check(checks, 'entry/api').status).toBe('ok');
    expect(check(checks, 'exchange').status).toBe('ok');
  });

  test('needs an entry, and the command that makes it names the bytes', async () => {
    const chain = await startChain();
    await chain.writePolicy('api.yaml', PINNED);
    chain.spire.entries = [];
    expectDiagnosis(await chain.examine({ component: 'api' }), {
      step: 'entry/api',
      code: 'identity_not_found',
      saw: /no registration entry/,
      advice: `-selector wasmcloud:component:api -selector wasm:digest:${DIGEST}\n`,
    });
  });

  test('is not looked at where it pins none, which is no failure; the others are', async () => {
    const chain = await startChain();
    await chain.writePolicy('api.yaml', `${API_POLICY}digestSelector: true\n`);
    const checks = await chain.examine();
    expect(check(checks, 'entry/api')).toMatchObject({
      status: 'skip',
      saw: expect.stringContaining('which bytes run is not known here'),
    });
    expect(check(checks, 'entry/ledger').status).toBe('ok');
    expect(failures(checks)).toEqual([]);
    const alone = await chain.examine({ component: 'api' });
    expect(failures(alone)).toEqual([]);
    expect(check(alone, 'exchange').status).toBe('skip');
  });

  test('does not hide what is wrong with another', async () => {
    const chain = await startChain();
    await chain.writePolicy('api.yaml', `${API_POLICY}digestSelector: true\n`);
    chain.spire.entries = [];
    const checks = await chain.examine();
    expect(failures(checks)).toEqual(['entry/ledger']);
    expect(check(checks, 'signature').saw).toBe('not looked at, since entry/ledger failed');
  });
});

test('a policy of nothing but egress needs no entry', async () => {
  const chain = await startChain();
  const head = 'component: api\nspiffeId: spiffe://example.org/team/api\nselectors: [a:b]\n';
  await chain.writePolicy('api.yaml', `${head}egress: [https://a.example]\n`);
  const checks = await chain.examine({ component: 'api' });
  expect(failures(checks)).toEqual([]);
  expect(check(checks, 'entry/api')).toMatchObject({
    status: 'skip',
    saw: expect.stringContaining('so it needs no identity'),
  });
  expect(check(checks, 'audiences').saw).toBe('no policy grants one');
});

test('a grant that is injected is exchanged as any other', async () => {
  const chain = await startChain();
  const injected = API_POLICY.replace('    aws:', '    inject: { host: a.example }\n    aws:');
  await chain.writePolicy('api.yaml', injected);
  const checks = await chain.examine({ component: 'api' });
  expect(failures(checks)).toEqual([]);
  expect(check(checks, 'exchange').status).toBe('ok');
});
