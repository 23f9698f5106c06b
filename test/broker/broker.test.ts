import { describe, expect, test } from 'vitest';
import { SvidxError } from '../../src/base/errors.ts';
import { API, API_POLICY, openBroker } from '../support/broker.ts';
import { asAws } from '../support/credentials.ts';
import { refusal, refusalCode } from '../support/errors.ts';

const A = ['a.example.org'] as const;

describe('what a component gets', () => {
  test('a JWT-SVID of its own, for the audiences it asked for, with the selectors of its policy', async () => {
    const { broker, upstreams } = await openBroker();
    const svid = await broker.identity(API, ['b.example.org', 'a.example.org']);
    expect(svid.spiffeId.toString()).toBe('spiffe://example.org/api');
    const [mint] = upstreams.mints.all;
    expect(mint?.audience).toEqual(['b.example.org', 'a.example.org']);
    expect(mint?.subject.selectors).toEqual([{ type: 'wasmcloud', value: 'component:api' }]);
    expect(upstreams.exchanges.all).toEqual([]);
  });

  test('credentials, exchanged for a JWT-SVID with the audience of the grant', async () => {
    const { broker, upstreams } = await openBroker();
    expect(await broker.credentials(API, 'models')).toMatchObject({ kind: 'aws', region: 'us-east-1' });
    const [exchange] = upstreams.exchanges.all;
    expect(exchange?.subjectToken.audience).toEqual(['sts.amazonaws.com']);
    expect(exchange?.subjectToken.spiffeId.toString()).toBe('spiffe://example.org/api');
    expect(exchange?.grant.target).toBe('arn:aws:iam::111122223333:role/models');
  });
});

describe('the policy is asked first, each time, before any cache', () => {
  test('what it never granted is refused without a question upstream', async () => {
    const { broker, counts } = await openBroker();
    const denied: [Promise<unknown>, string][] = [
      [
        broker.identity(API, ['other.example.org']),
        'component "api": the audience "other.example.org" is not granted to it',
      ],
      [broker.identity(API, ['a.example.org', 'other']), 'component "api": the audience "other" is not granted to it'],
      [broker.identity(API, ['A.example.org']), 'component "api": the audience "A.example.org" is not granted to it'],
      [broker.credentials(API, 'other'), 'component "api": it has no grant "other"'],
      [broker.credentials(API, 'Models'), 'component "api": it has no grant "Models"'],
      [broker.credentials({ component: 'nobody' }, 'models'), 'component "nobody": no policy names it'],
      [broker.credentials({ component: 'API' }, 'models'), 'component "API": no policy names it'],
      [broker.identity({ component: 'constructor' }, A), 'component "constructor": no policy names it'],
      [broker.credentials(API, '__proto__'), 'component "api": it has no grant "__proto__"'],
    ];
    for (const [asked, message] of denied) {
      expect(await refusal(asked)).toMatchObject({ code: 'policy_denied', message });
    }
    expect(counts()).toEqual({ mints: 0, exchanges: 0 });
  });

  test('what it takes back is refused at once, although a good one is in memory', async () => {
    const { broker, setPolicies, counts } = await openBroker();
    await broker.identity(API, A);
    await broker.credentials(API, 'models');
    const before = counts();

    setPolicies(API_POLICY.replace('a.example.org, ', '').replace('  models:', '  other:'));
    expect(await refusalCode(broker.identity(API, A))).toBe('policy_denied');
    expect(await refusalCode(broker.credentials(API, 'models'))).toBe('policy_denied');

    setPolicies(API_POLICY.replace('component: api\n', 'component: renamed\n'));
    expect(await refusalCode(broker.identity(API, A))).toBe('policy_denied');
    expect(await refusalCode(broker.credentials(API, 'models'))).toBe('policy_denied');

    setPolicies();
    expect(await refusalCode(broker.identity(API, A))).toBe('policy_denied');
    expect(counts()).toEqual(before);

    setPolicies(API_POLICY);
    expect(await broker.credentials(API, 'models')).toMatchObject({ kind: 'aws' });
    expect(counts()).toEqual(before);
  });

  test('other bytes than the policy allows are refused, although the right ones have a good one in memory', async () => {
    const digest = (char: string) => `sha256:${char.repeat(64)}`;
    const { broker, counts } = await openBroker({ policies: [`${API_POLICY}digest: ${digest('a')}\n`] });
    await broker.identity({ component: 'api', digest: digest('a') }, A);
    expect(await refusal(broker.identity({ component: 'api', digest: digest('b') }, A))).toMatchObject({
      code: 'policy_denied',
      message: `component "api": its bytes are not the ones its policy allows: they are ${digest('b')}`,
    });
    expect(counts()).toEqual({ mints: 1, exchanges: 0 });
  });

  test('what it grants anew is there at once', async () => {
    const { broker, setPolicies } = await openBroker({ policies: [] });
    expect(await refusalCode(broker.credentials(API, 'models'))).toBe('policy_denied');
    setPolicies(API_POLICY);
    expect(await broker.credentials(API, 'models')).toMatchObject({ kind: 'aws' });
  });
});

describe('callers who ask for the same at the same time', () => {
  test('1,000 of them cause exactly one mint and one exchange, and get the same credentials', async () => {
    const { broker, counts } = await openBroker();
    const all = await Promise.all(Array.from({ length: 1000 }, () => broker.credentials(API, 'models')));
    expect(new Set(all).size).toBe(1);
    expect(counts()).toEqual({ mints: 1, exchanges: 1 });
  });

  test('an identity and credentials share the one mint', async () => {
    const { broker, upstreams, counts } = await openBroker();
    const [svid] = await Promise.all([
      broker.identity(API, ['sts.amazonaws.com']),
      ...Array.from({ length: 100 }, () => broker.credentials(API, 'models')),
    ]);
    expect(counts()).toEqual({ mints: 1, exchanges: 1 });
    expect(upstreams.exchanges.all[0]?.subjectToken).toBe(svid);
  });

  test('1,000 of them cause exactly one question upstream also when it is refused', async () => {
    const { broker, upstreams, counts } = await openBroker();
    upstreams.exchange = new SvidxError('exchange_denied', 'no');
    const all = await Promise.all(Array.from({ length: 1000 }, () => refusalCode(broker.credentials(API, 'models'))));
    expect(new Set(all)).toEqual(new Set(['exchange_denied']));
    expect(counts()).toEqual({ mints: 1, exchanges: 1 });
  });
});

describe('what is shared, and what never is', () => {
  const other = (component: string, selector: string) =>
    API_POLICY.replace('component: api\n', `component: ${component}\n`).replace(
      'wasmcloud:component:api',
      `wasmcloud:component:${selector}`,
    );

  test('two components that claim one SPIFFE ID with different selectors share neither token nor credential', async () => {
    const { broker, upstreams, counts } = await openBroker({ policies: [API_POLICY, other('imposter', 'imposter')] });
    const imposter = { component: 'imposter' };
    expect(await broker.identity(API, A)).not.toBe(await broker.identity(imposter, A));
    const mine = asAws(await broker.credentials(API, 'models'));
    expect(asAws(await broker.credentials(imposter, 'models')).accessKeyId).not.toBe(mine.accessKeyId);
    expect(counts()).toEqual({ mints: 4, exchanges: 2 });
    expect(upstreams.mints.all.map(({ subject }) => subject.selectors[0]?.value)).toEqual([
      'component:api',
      'component:imposter',
      'component:api',
      'component:imposter',
    ]);
  });

  test('two components with the same selectors and different SPIFFE IDs share neither', async () => {
    const sibling = other('sibling', 'api').replace('spiffe://example.org/api', 'spiffe://example.org/sibling');
    const { broker, counts } = await openBroker({ policies: [API_POLICY, sibling] });
    await broker.identity(API, A);
    await broker.credentials(API, 'models');
    const theirs = await broker.identity({ component: 'sibling' }, A);
    expect(theirs.spiffeId.toString()).toBe('spiffe://example.org/sibling');
    await broker.credentials({ component: 'sibling' }, 'models');
    expect(counts()).toEqual({ mints: 4, exchanges: 2 });
  });

  test('one that SPIRE refuses gets nothing from what the other has in memory', async () => {
    const { broker, upstreams } = await openBroker({ policies: [API_POLICY, other('imposter', 'imposter')] });
    await broker.identity(API, ['sts.amazonaws.com']);
    await broker.credentials(API, 'models');
    upstreams.mint = new SvidxError('identity_not_found', 'no entry');
    expect(await refusalCode(broker.identity({ component: 'imposter' }, A))).toBe('identity_not_found');
    expect(await refusalCode(broker.credentials({ component: 'imposter' }, 'models'))).toBe('identity_not_found');
    expect(await broker.credentials(API, 'models')).toMatchObject({ kind: 'aws' });
  });

  test('two components with the same identity and the same grant share the token, not the credentials', async () => {
    const { broker, counts } = await openBroker({ policies: [API_POLICY, other('twin', 'api')] });
    expect(await broker.identity(API, A)).toBe(await broker.identity({ component: 'twin' }, A));
    const mine = asAws(await broker.credentials(API, 'models'));
    expect(asAws(await broker.credentials({ component: 'twin' }, 'models')).accessKeyId).not.toBe(mine.accessKeyId);
    expect(counts()).toEqual({ mints: 2, exchanges: 2 });
  });

  test('two components whose names and grants run together to the same text share nothing', async () => {
    const named = (component: string, grant: string) => other(component, 'api').replace('  models:', `  ${grant}:`);
    const { broker, counts } = await openBroker({ policies: [named('a', 'b-c'), named('a-b', 'c')] });
    const first = asAws(await broker.credentials({ component: 'a' }, 'b-c'));
    const second = asAws(await broker.credentials({ component: 'a-b' }, 'c'));
    expect(first.accessKeyId).not.toBe(second.accessKeyId);
    expect(counts().exchanges).toBe(2);
  });

  test.each([
    ['role', 'role/models', 'role/other'],
    ['region', 'us-east-1', 'eu-central-1'],
    ['duration', '15m', '30m'],
    ['audience', 'duration: 15m }', 'duration: 15m }, audience: a.example.org'],
    ['SPIFFE ID', 'spiffe://example.org/api', 'spiffe://example.org/api2'],
    ['selectors', 'wasmcloud:component:api', 'wasmcloud:component:api2'],
  ])('a grant whose %s changed is not answered from what was in memory before', async (_, from, to) => {
    const { broker, setPolicies, counts } = await openBroker();
    const before = asAws(await broker.credentials(API, 'models'));
    setPolicies(API_POLICY.replace(from, to));
    const after = asAws(await broker.credentials(API, 'models'));
    expect(after.accessKeyId).not.toBe(before.accessKeyId);
    expect(counts().exchanges).toBe(2);
  });

  test('a policy that was only written anew keeps what is in memory', async () => {
    const { broker, setPolicies, counts } = await openBroker();
    const before = asAws(await broker.credentials(API, 'models'));
    setPolicies(`# looked at again\n${API_POLICY}`, other('more', 'more'));
    expect(await broker.credentials(API, 'models')).toBe(before);
    expect(counts()).toEqual({ mints: 1, exchanges: 1 });
  });

  test('neither order nor repetition of audiences matters, but which they are', async () => {
    const { broker, counts } = await openBroker();
    const [a, b] = ['a.example.org', 'b.example.org'];
    const both = await broker.identity(API, [a, b]);
    expect(await broker.identity(API, [b, a])).toBe(both);
    expect(await broker.identity(API, [b, a, b, a, a])).toBe(both);
    expect(counts().mints).toBe(1);
    const others = [
      await broker.identity(API, [a]),
      await broker.identity(API, [b]),
      await broker.identity(API, [a, 'c.example.org']),
    ];
    expect(new Set([both, ...others]).size).toBe(4);
    expect(others.map(({ audience }) => audience)).toEqual([[a], [b], [a, 'c.example.org']]);
  });

  test('audiences that look like a list are not one', async () => {
    const audiences = ['a', 'b', 'a,b', 'a","b', '["a","b"]', 'a b'];
    const policy = API_POLICY.replace(/audiences: .*/, `audiences: ${JSON.stringify(audiences)}`);
    const { broker, counts } = await openBroker({ policies: [policy] });
    await broker.identity(API, ['a', 'b']);
    for (const name of audiences) expect((await broker.identity(API, [name])).audience).toEqual([name]);
    expect(counts().mints).toBe(1 + audiences.length);
  });

  test('no more is held than the cache may: what was unused for longest goes', async () => {
    const { broker, counts } = await openBroker({ cacheSize: 2 });
    await broker.identity(API, ['a.example.org']);
    await broker.identity(API, ['b.example.org']);
    await broker.identity(API, ['a.example.org']);
    await broker.identity(API, ['c.example.org']);
    await broker.identity(API, ['a.example.org']);
    expect(counts().mints).toBe(3);
    await broker.identity(API, ['b.example.org']);
    expect(counts().mints).toBe(4);
  });
});
