import { describe, expect, test } from 'vitest';
import { FAKE_ACCESS_TOKEN } from '../fakes/broker.ts';
import { API, API_POLICY, openBroker } from '../support/broker.ts';
import { asAws } from '../support/credentials.ts';
import { refusal, refusalCode } from '../support/errors.ts';
import { OTHER_CLIENT, API_POLICY as SESSION_POLICY, startSessionWorld } from '../support/sdk-endpoints.ts';

const INJECTED = API_POLICY.replace('duration: 15m } }', 'duration: 15m }, inject: { host: a.example } }');

describe('credentials that are injected', () => {
  test('are exchanged, held and renewed as others are', async () => {
    const { broker, counts, log } = await openBroker({ policies: [INJECTED] });
    const first = await broker.injected(API, 'models');
    expect(first).toMatchObject({ kind: 'aws', region: 'us-east-1' });
    expect(await broker.injected(API, 'models')).toBe(first);
    expect(counts()).toEqual({ mints: 1, exchanges: 1 });
    expect(log.audits().map(({ action, outcome, grant }) => [action, outcome, grant])).toEqual([
      ['identity.mint', 'ok', undefined],
      ['credentials.exchange', 'ok', 'models'],
      ['credentials.inject', 'ok', 'models'],
      ['credentials.inject', 'ok', 'models'],
    ]);
  });

  test('are handed out to nobody, although they are in memory', async () => {
    const { broker, counts } = await openBroker({ policies: [INJECTED] });
    await broker.injected(API, 'models');
    expect(await refusal(broker.credentials(API, 'models'))).toMatchObject({
      code: 'policy_denied',
      message: 'component "api": the grant "models" is only injected, never handed out',
    });
    expect(counts()).toEqual({ mints: 1, exchanges: 1 });
  });

  test('follow the policy at once, in both directions', async () => {
    const { broker, setPolicies } = await openBroker();
    await broker.credentials(API, 'models');
    expect(await refusalCode(broker.injected(API, 'models'))).toBe('policy_denied');
    setPolicies(INJECTED);
    expect(await refusalCode(broker.credentials(API, 'models'))).toBe('policy_denied');
    expect(await broker.injected(API, 'models')).toMatchObject({ kind: 'aws' });
    setPolicies(API_POLICY);
    expect(await refusalCode(broker.injected(API, 'models'))).toBe('policy_denied');
  });

  test.each([
    ['the grant of another component', { component: 'other' }, 'models', 'no policy names it'],
    ['a grant that is not there', API, 'nothing', 'it has no grant "nothing"'],
    ['a name that objects have', API, 'constructor', 'it has no grant "constructor"'],
  ])('are not those of %s', async (_, caller, grant, reason) => {
    const { broker, counts } = await openBroker({ policies: [INJECTED] });
    expect(await refusal(broker.injected(caller, grant))).toMatchObject({
      code: 'policy_denied',
      message: `component "${caller.component}": ${reason}`,
    });
    expect(counts()).toEqual({ mints: 0, exchanges: 0 });
  });

  test('are refused in a session that was opened before the policy said so', async () => {
    const { sessionBroker, open, setPolicies, broker } = startSessionWorld();
    const { session } = await open({ grant: 'models' });
    await sessionBroker.aws(session, 'models');
    const asked = broker.asked.length;
    setPolicies(SESSION_POLICY.replace('duration: 15m } }', 'duration: 15m }, inject: { host: a.example } }'));
    expect(await refusal(sessionBroker.aws(session, 'models'))).toMatchObject({
      code: 'policy_denied',
      message: 'component "api": the grant "models" is only injected, never handed out',
    });
    expect(broker.asked.length).toBe(asked);
  });

  test('do not hide from an SDK the one grant that it means and that is handed out', async () => {
    const { sessionBroker, open, setPolicies, broker } = startSessionWorld();
    broker.give = FAKE_ACCESS_TOKEN;
    setPolicies(
      SESSION_POLICY.replace(/(graph-one: \{ azure: .*) \}\n/, '$1, inject: { host: graph.example.org } }\n'),
    );
    const { session } = await open();
    const wanted = { resource: 'https://graph.example.org', clientId: undefined };
    expect((await sessionBroker.azure(session, wanted)).grant.clientId).toBe(OTHER_CLIENT);
    expect(broker.asked.map(({ grant }) => grant)).toEqual(['graph-two']);
  });
});

describe('bytes that SPIRE is told of', () => {
  const digest = (char: string) => `sha256:${char.repeat(64)}`;
  const [A, B] = [
    { component: 'api', digest: digest('a') },
    { component: 'api', digest: digest('b') },
  ];
  const POLICY = `${API_POLICY}digestSelector: true\n`;
  const AUDIENCE = ['a.example.org'] as const;

  test('are the last of the selectors, after those of the policy', async () => {
    const { broker, upstreams } = await openBroker({ policies: [POLICY] });
    await broker.identity(A, AUDIENCE);
    expect(upstreams.mints.all[0]?.subject.selectors).toEqual([
      { type: 'wasmcloud', value: 'component:api' },
      { type: 'wasm', value: `digest:${A.digest}` },
    ]);
  });

  test('are not told where the policy does not say so, and change nothing then', async () => {
    const { broker, upstreams, counts } = await openBroker();
    expect(await broker.identity(A, AUDIENCE)).toBe(await broker.identity(B, AUDIENCE));
    expect(await broker.credentials(A, 'models')).toBe(await broker.credentials(API, 'models'));
    expect(upstreams.mints.all[0]?.subject.selectors).toEqual([{ type: 'wasmcloud', value: 'component:api' }]);
    expect(counts()).toEqual({ mints: 2, exchanges: 1 });
  });

  test.each([
    ['one first', [A, B]],
    ['the other first', [B, A]],
  ])('share no JWT-SVID and no credentials with others: %s', async (_, [first, second]) => {
    if (first === undefined || second === undefined) throw new Error('two callers');
    const { broker, upstreams, counts } = await openBroker({ policies: [POLICY] });
    const svids = [await broker.identity(first, AUDIENCE), await broker.identity(second, AUDIENCE)];
    const credentials = [await broker.credentials(first, 'models'), await broker.credentials(second, 'models')];
    expect(new Set(credentials.map((one) => asAws(one).accessKeyId)).size).toBe(2);
    expect(counts()).toEqual({ mints: 4, exchanges: 2 });
    for (const [index, caller] of [first, second].entries()) {
      expect(upstreams.mints.all[index]?.subject.selectors.at(-1)?.value).toBe(`digest:${caller.digest}`);
      // With both in memory each gets its own again.
      expect(await broker.identity(caller, AUDIENCE)).toBe(svids[index]);
      expect(await broker.credentials(caller, 'models')).toBe(credentials[index]);
    }
    expect(counts()).toEqual({ mints: 4, exchanges: 2 });
  });

  test('share none when all ask at the same time', async () => {
    const { broker, counts } = await openBroker({ policies: [POLICY] });
    const all = await Promise.all(
      Array.from({ length: 100 }, (_, index) => broker.credentials(index % 2 === 0 ? A : B, 'models')),
    );
    expect(new Set(all.filter((_, index) => index % 2 === 0)).size).toBe(1);
    expect(new Set(all).size).toBe(2);
    expect(counts()).toEqual({ mints: 2, exchanges: 2 });
  });

  test('share none with the same component before its policy said so, or after', async () => {
    const { broker, setPolicies, counts } = await openBroker();
    const before = await broker.credentials(A, 'models');
    setPolicies(POLICY);
    const during = await broker.credentials(A, 'models');
    expect(during).not.toBe(before);
    setPolicies(API_POLICY);
    expect(await broker.credentials(B, 'models')).toBe(before);
    expect(counts().exchanges).toBe(2);
  });

  test('are not those of another component with the same SPIFFE ID that says no bytes', async () => {
    const twin = API_POLICY.replace('component: api\n', 'component: twin\n');
    const { broker, counts } = await openBroker({ policies: [POLICY, twin] });
    const mine = await broker.identity(A, AUDIENCE);
    expect(await broker.identity({ component: 'twin', digest: A.digest }, AUDIENCE)).not.toBe(mine);
    expect(counts().mints).toBe(2);
  });
});
