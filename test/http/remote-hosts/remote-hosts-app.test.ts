import { describe, expect, test } from 'vitest';
import { bodyOf, type RemoteHostsWorld, startRemoteHosts, uri } from '../../support/remote-hosts.ts';
import { expectNoSecrets } from '../../support/secrets.ts';
import { chained, x509Bundle } from '../../support/x509-svids.ts';

const A = 'spiffe://example.org/host/a';
const B = 'spiffe://example.org/host/b';

/** What no refusal may have caused. */
function expectNothingDone(world: RemoteHostsWorld): void {
  expect([world.counts(), world.sessions.size]).toEqual([{ mints: 0, exchanges: 0 }, 0]);
}

describe('a host that has proved who it is', () => {
  test('has tokens, credentials and sessions of its components, and the audit says who asked', async () => {
    const world = await startRemoteHosts();
    const client = world.svid();
    const token = bodyOf(await world.post(client, '/v1/token', { component: 'api', audience: ['a.example.org'] }));
    expect(token).toMatchObject({ status: 200, spiffeId: 'spiffe://example.org/api', audience: ['a.example.org'] });
    const credentials = bodyOf(await world.post(client, '/v1/credentials', { component: 'api', grant: 'models' }));
    expect(credentials).toMatchObject({ status: 200, kind: 'aws' });
    const opened = bodyOf(await world.post(client, '/v1/sessions', { component: 'api', grant: 'models' }));
    expect(opened).toMatchObject({ status: 200, endpoint: world.url, grants: [{ name: 'models', kind: 'aws' }] });

    const secret = String(opened['secret']);
    const asked = await world.ask(client, { path: '/aws/models', headers: { Authorization: secret } });
    expect(bodyOf(asked)).toMatchObject({ status: 200, AccessKeyId: credentials['accessKeyId'] });
    expect(asked.headers['cache-control']).toBe('no-store');
    const path = `/v1/sessions/${opened['session']}`;
    expect((await world.post(client, path, {})).status).toBe(200);
    expect((await world.ask(client, { method: 'DELETE', path })).status).toBe(200);

    const said = world.audits().map(({ action, outcome, host }) => [action, outcome, host]);
    for (const action of ['session.open', 'session.revoke', 'identity.request', 'credentials.request']) {
      expect(said).toContainEqual([action, 'ok', A]);
    }
    // What is asked upstream is for everybody who may have it.
    const upstream = ['identity.mint', 'credentials.exchange'];
    expect(said.filter(([action, , host]) => !upstream.includes(String(action)) && host !== A)).toEqual([]);
    const secrets = [token['token'], credentials['secretAccessKey'], credentials['sessionToken'], secret.slice(23)];
    expectNoSecrets(world.logged(), secrets.map(String));
  });

  test('may be of a federated trust domain, or come with what lies between it and its authority', async () => {
    const world = await startRemoteHosts();
    const partner = world.authorityOf();
    const middle = world.authorityOf({ issuer: world.authority });
    world.setBundles(x509Bundle('example.org', world.authority), x509Bundle('partner.example', partner));
    const ledger = { component: 'ledger', grant: 'books' };
    const far = world.svid(partner, uri('spiffe://partner.example/host'));
    expect((await world.post(far, '/v1/credentials', ledger)).status).toBe(200);
    const lower = world.authorityOf({ issuer: middle });
    for (const client of [chained(world.svid(middle), middle), chained(world.svid(lower), middle, partner, lower)]) {
      expect((await world.post(client, '/v1/credentials', { component: 'api', grant: 'models' })).status).toBe(200);
    }
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s', async (version) => {
    const world = await startRemoteHosts();
    const agent = world.connection(world.svid(), { minVersion: version, maxVersion: version });
    expect((await world.post(agent, '/v1/sessions', { component: 'api' })).status).toBe(200);
  });
});

describe('a host is refused before its request is looked at', () => {
  const wrong: readonly (readonly [
    string,
    string,
    (world: RemoteHostsWorld) => ReturnType<RemoteHostsWorld['svid']> | undefined,
  ])[] = [
    ['without a certificate', '401 certificate_missing', () => undefined],
    ['with the certificate of the server', '401 certificate_malformed', ({ authorityOf }) => authorityOf()],
    ['with one that is for nobody', '401 certificate_malformed', ({ svid }) => svid(undefined, uri())],
    ['with two SPIFFE IDs', '401 certificate_malformed', ({ svid }) => svid(undefined, uri(A, B))],
    [
      'with the ID of the trust domain',
      '401 certificate_malformed',
      ({ svid }) => svid(undefined, uri('spiffe://example.org')),
    ],
    [
      'with its ID percent-encoded',
      '401 certificate_malformed',
      ({ svid }) => svid(undefined, uri('spiffe://example.org/host/%61')),
    ],
    [
      'with its trust domain in capitals',
      '401 certificate_malformed',
      ({ svid }) => svid(undefined, uri('spiffe://EXAMPLE.org/host/a')),
    ],
    [
      'of a trust domain that nobody knows',
      '401 certificate_trust_domain_unknown',
      ({ svid }) => svid(undefined, uri('spiffe://other.example/host/a')),
    ],
    ['of another authority', '401 certificate_untrusted', ({ svid, authorityOf }) => svid(authorityOf())],
    [
      'of another authority that comes along',
      '401 certificate_untrusted',
      ({ svid, authorityOf }) => {
        const other = authorityOf();
        return chained(svid(other), other);
      },
    ],
    [
      'of an authority whose own is missing',
      '401 certificate_untrusted',
      ({ svid, authorityOf, authority }) => svid(authorityOf({ issuer: authority })),
    ],
    [
      'that has expired',
      '401 certificate_expired',
      ({ svid, clock }) => svid(undefined, {}, { notAfter: new Date(clock.now() - 1_000) }),
    ],
    [
      'that is not valid yet',
      '401 certificate_not_yet_valid',
      ({ svid, clock }) => svid(undefined, {}, { notBefore: new Date(clock.now() + 1_000) }),
    ],
    ['that is not on the list', '403 host_denied', ({ svid }) => svid(undefined, uri('spiffe://example.org/host/c'))],
    ['whose ID has another case', '403 host_denied', ({ svid }) => svid(undefined, uri('spiffe://example.org/host/A'))],
    ['whose ID goes on', '403 host_denied', ({ svid }) => svid(undefined, uri(`${A}/a`))],
    ['whose ID is shorter', '403 host_denied', ({ svid }) => svid(undefined, uri('spiffe://example.org/host'))],
  ];

  test.each(wrong)('%s: %s', async (_, expected, create) => {
    const world = await startRemoteHosts();
    const client = create(world);
    const { session, secret } = await world.open();
    await world.sessions.revoke(session.id);
    const before = world.audits().length;
    const questions = [
      () => world.post(client, '/v1/sessions', { component: 'api' }),
      () => world.post(client, '/v1/token', { component: 'api', audience: ['a.example.org'] }),
      () => world.ask(client, { path: '/aws/models', headers: { Authorization: secret } }),
      () => world.ask(client, { path: '/no/such/path' }),
      () => world.ask(client, { path: '/', headers: { Host: 'elsewhere' } }),
    ];
    for (const question of questions) {
      const answer = await question();
      expect(`${answer.status} ${bodyOf(answer)['code']}`).toBe(expected);
      expect(answer.headers.connection).toBe('close');
    }
    const [, code = ''] = expected.split(' ');
    const events = world.audits().slice(before);
    expect(events.map((event) => [event['action'], event['code']])).toEqual(
      questions.map(() => ['host.authenticate', code]),
    );
    // Who it is, is said only where it was proved.
    expect(events.every((event) => (event['host'] !== undefined) === (code === 'host_denied'))).toBe(true);
    expect(events.map(({ outcome }) => outcome)).toEqual(
      questions.map(() => (code === 'host_denied' ? 'denied' : 'failed')),
    );
    expectNothingDone(world);
  });

  test('where no bundle has arrived yet: 503, and nobody is told more', async () => {
    const world = await startRemoteHosts();
    world.setBundles();
    expect(bodyOf(await world.post(world.svid(), '/v1/sessions', { component: 'api' }))).toMatchObject({
      status: 503,
      code: 'bundle_unavailable',
    });
    expectNothingDone(world);
  });

  test('with a key that is not that of its certificate there is not even a connection', async () => {
    const world = await startRemoteHosts();
    const { cert } = world.svid();
    const { key } = world.svid();
    await expect(world.post({ cert, key }, '/v1/sessions', { component: 'api' })).rejects.toThrow();
    expectNothingDone(world);
  });
});

describe('a host names its own components only', () => {
  const spellings = [
    'ledger',
    'no-such-component',
    'API',
    'api ',
    ' api',
    'api\0',
    'api/',
    './api',
    'api,ledger',
    '\u0430pi',
    'ap\u0131',
  ];

  test.each(spellings)('not %j, whether or not there is one', async (component) => {
    const world = await startRemoteHosts();
    const client = world.connection(world.svid());
    const answers = [
      await world.post(client, '/v1/sessions', { component }),
      await world.post(client, '/v1/token', { component, audience: ['a.example.org'] }),
      await world.post(client, '/v1/credentials', { component, grant: 'books' }),
      await world.post(client, '/v1/injected', { component, grant: 'books' }),
      await world.post(client, '/v1/component', { component }),
    ];
    for (const answer of answers) {
      expect(bodyOf(answer)).toEqual({
        status: 403,
        code: 'policy_denied',
        message: `component ${JSON.stringify(component)}: the host ${A} may not name it`,
      });
    }
    expect(world.audits().map(({ outcome, host, spiffeId }) => [outcome, host, spiffeId])).toEqual(
      Array(5).fill(['denied', A, undefined]),
    );
    expectNothingDone(world);
  });

  test('and not by naming a host, or twice', async () => {
    const world = await startRemoteHosts();
    const client = world.svid();
    for (const body of [
      { component: 'ledger', host: { spiffeId: B, components: ['ledger'] } },
      { component: 'ledger', host: B },
      { component: ['api', 'ledger'] },
    ]) {
      expect(bodyOf(await world.post(client, '/v1/sessions', body))).toMatchObject({
        status: 400,
        code: 'request_invalid',
      });
    }
    const twice = '{"component":"api","component":"ledger"}';
    const headers = { 'Content-Type': 'application/json' };
    const answer = await world.ask(client, { method: 'POST', path: '/v1/sessions', headers, body: twice });
    expect([400, 403]).toContain(answer.status);
    expectNothingDone(world);
  });

  test('of its own components it is told what they may do', async () => {
    const world = await startRemoteHosts();
    const answer = await world.post(world.svid(), '/v1/component', { component: 'api' });
    expect(bodyOf(answer)).toMatchObject({ status: 200, identity: true, credentials: true, egress: [] });
  });

  test('the policy still says what a component may have', async () => {
    const world = await startRemoteHosts();
    const client = world.svid();
    for (const [path, body] of [
      ['/v1/token', { component: 'api', audience: ['other.example.org'] }],
      ['/v1/credentials', { component: 'api', grant: 'books' }],
      ['/v1/sessions', { component: 'api', grant: 'books' }],
    ] as const) {
      expect(bodyOf(await world.post(client, path, body))).toMatchObject({ status: 403, code: 'policy_denied' });
    }
    expectNothingDone(world);
  });

  test('what is only for this machine is not there', async () => {
    const world = await startRemoteHosts();
    const client = world.svid();
    for (const path of ['/v1/workload-api', '/v1/token-file', '/v1/', '/livez', '/readyz', '/keys', '/']) {
      expect(bodyOf(await world.post(client, path, { component: 'api' })), path).toMatchObject({
        code: expect.stringMatching(/^(not_found|method_not_allowed|request_too_large)$/),
      });
      expect(bodyOf(await world.ask(client, { path })), path).toMatchObject({ status: 404, code: 'not_found' });
    }
  });
});
