import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { beforeAll, describe, expect, test } from 'vitest';
import { type ScriptedAgent, startScriptedAgent } from '../fakes/scripted-agent.ts';
import { entry } from '../fakes/trust-domain.ts';
import { type Chain, check, expectDiagnosis, startChain } from '../support/doctor.ts';
import { makeKey, type TestKey } from '../support/jwk.ts';
import { staleSocket, talkingSocket } from '../support/sockets.ts';
import { LEDGER_POLICY } from '../support/world.ts';

const API = { trust_domain: 'example.org', path: '/team/api' };

/** An agent that sends these bundles, by default the chain's own, and answers for tokens as the test says. */
async function scripted(chain: Chain, bundles?: Readonly<Record<string, string>>): Promise<ScriptedAgent> {
  const agent = await startScriptedAgent();
  agent.onStream = (stream) => stream.send(bundles ?? { 'spiffe://example.org': chain.spire.authority.jwkSet() });
  await chain.configure({ adminSocket: agent.socketPath });
  return agent;
}

describe('the admin socket', () => {
  const WHAT_NEEDS_SPIRE = [
    ...['delegate', 'bundle', 'entry', 'issuer-claim', 'signature', 'key-type', 'signing-key', 'published-keys'],
  ];

  test.each<[string, (chain: Chain) => string | Promise<string>, RegExp, RegExp]>([
    [
      'that is not there',
      ({ folder }) => join(folder, 'admin.sock'),
      /^there is no .*\/admin\.sock$/,
      /Is spire-agent running\?.* agent \{ \}.*\n {4}admin_socket_path = ".*\/admin\.sock"$/s,
    ],
    [
      'whose folder is not there',
      () => '/nonexistent/admin.sock',
      /^there is no folder \/nonexistent$/,
      /admin_socket_path = "\/nonexistent\/admin\.sock"$/,
    ],
    ['that is a file', ({ configFile }) => configFile, /svidx\.yaml is not a socket$/, /admin_socket_path = /],
    ['that a killed agent left behind', staleSocket, /^nobody listens at .*\/stale\.sock/, /^Start spire-agent/],
    [
      'that is served by something else',
      () => talkingSocket((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
      /^the SPIRE agent cannot be reached/,
      /does not answer as a SPIRE agent does: see "spire-agent healthcheck"/,
    ],
  ])('%s', async (_, adminSocket, saw, advice) => {
    const chain = await startChain();
    await chain.configure({ adminSocket: await adminSocket(chain) });
    const checks = await chain.examine();
    expectDiagnosis(checks, { step: 'admin-socket', code: 'identity_unavailable', saw, advice });
    const skipped = checks.filter((found) => found.status === 'skip');
    expect(skipped.map(({ name }) => name)).toEqual(WHAT_NEEDS_SPIRE);
    for (const { saw: reason } of skipped) expect(reason).toBe('not looked at, since admin-socket failed');
    // The issuer does not depend on it from here.
    expect(check(checks, 'issuer-keys').status).toBe('ok');
  });

  test('that is silent, which nobody waits for', async () => {
    const chain = await startChain();
    await chain.configure({ adminSocket: await talkingSocket() });
    const started = performance.now();
    const checks = await chain.examine({}, { limitMs: 200 });
    expect(performance.now() - started).toBeLessThan(3_000);
    expectDiagnosis(checks, {
      step: 'admin-socket',
      code: 'identity_unavailable',
      saw: /^no answer within 0\.2 s$/,
      advice: /takes connections and does not answer/,
    });
  });

  test("that is the agent's Workload API socket", async () => {
    const chain = await startChain();
    await chain.configure({ adminSocket: (await startScriptedAgent({ serve: 'nothing' })).socketPath });
    expectDiagnosis(await chain.examine(), {
      step: 'admin-socket',
      code: 'identity_request_rejected',
      saw: /does not serve SPIRE's Delegated Identity API/,
      advice: /Workload API socket \(socket_path\)\? spire\.adminSocket must be the other one/,
    });
  });
});

describe('the delegate', () => {
  test('without a registration entry', async () => {
    const chain = await startChain();
    chain.spire.caller = 'unknown';
    const checks = await chain.examine();
    expectDiagnosis(checks, {
      step: 'delegate',
      code: 'identity_delegate_unauthorized',
      saw: /no identity for this process \(uid 1234\)/,
      advice:
        /\n {4}spire-server entry create -parentID "\$AGENT_ID" -spiffeID spiffe:\/\/example\.org\/svid-exchange -selector unix:uid:1234\n/,
    });
    expect(check(checks, 'delegate').advice).toContain('authorized_delegates = ["spiffe://example.org/svid-exchange"]');
    expect(check(checks, 'admin-socket').status).toBe('ok');
    expect(check(checks, 'bundle').saw).toBe('not looked at, since delegate failed');
  });

  test('that is not among authorized_delegates', async () => {
    const chain = await startChain();
    chain.spire.caller = 'unauthorized';
    const checks = await chain.examine();
    expectDiagnosis(checks, {
      step: 'delegate',
      code: 'identity_delegate_unauthorized',
      saw: /has an identity, but it is not among the agent's authorized delegates/,
      advice: /\n {4}authorized_delegates = \["spiffe:\/\/example\.org\/svid-exchange"\]\n/,
    });
    expect(check(checks, 'delegate').advice).not.toContain('entry create');
  });
});

describe('the bundle', () => {
  const keys = '{"keys": []}';

  test.each([
    ['of another trust domain', { 'spiffe://example.com': keys, 'spiffe://b.org': keys }, 'example.com, b.org'],
    ['of nobody', {}, 'none at all'],
  ])('%s', async (_, bundles, seen) => {
    const chain = await startChain();
    const agent = await scripted(chain, bundles);
    const checks = await chain.examine();
    expectDiagnosis(checks, {
      step: 'bundle',
      code: 'bundle_unavailable',
      saw: new RegExp(`^the agent sent no bundle of example\\.org, but .*${seen}$`),
      advice: '"trust_domain" of the agent',
    });
    expect(check(checks, 'entry').saw).toBe('not looked at, since bundle failed');
    expect(agent.fetches.all).toEqual([]);
  });

  test.each([
    ['without keys', keys, 'bundle_unavailable', /no key that can sign a JWT-SVID \(0 of another kind\)/],
    [
      'with X.509 keys alone',
      '{"keys":[{"use":"x509-svid","kty":"EC"}]}',
      'bundle_unavailable',
      /\(1 of another kind\)/,
    ],
    ['that cannot be read', 'not JSON', 'bundle_invalid', /must be a JSON object/],
  ])('%s', async (_, jwkSet, code, saw) => {
    const chain = await startChain();
    await scripted(chain, { 'example.org': jwkSet });
    expectDiagnosis(await chain.examine({ component: 'api' }), {
      step: 'bundle',
      code,
      saw,
      advice: 'spire-server bundle show',
    });
  });
});

describe('an entry', () => {
  test('that is missing: the command that makes it', async () => {
    const chain = await startChain();
    await chain.writePolicy('ledger.yaml', LEDGER_POLICY.replace('[wasm', `["k8s:pod-label:a='b c'", wasm`));
    const checks = await chain.examine();
    expect(check(checks, 'entry/ledger').status).toBe('ok');
    chain.spire.entries = chain.spire.entries.slice(0, 1);
    const later = await chain.examine();
    expectDiagnosis(later, {
      step: 'entry/ledger',
      code: 'identity_not_found',
      saw: /no registration entry for the selectors/,
      advice:
        /^Register it:\n {4}spire-server entry create -parentID "\$AGENT_ID" -spiffeID spiffe:\/\/example\.org\/team\/ledger -selector 'k8s:pod-label:a='\\''b c'\\''' -selector wasmcloud:component:ledger\n/,
    });
    expect(check(later, 'entry/api').status).toBe('ok');
    expect(check(later, 'issuer-claim').status).toBe('ok');
  });

  test('for another SPIFFE ID: the ones that came', async () => {
    const chain = await startChain();
    chain.spire.entries = [
      entry('spiffe://example.org/other', 'wasmcloud:component:api'),
      entry('spiffe://example.org/third', 'wasmcloud:component:api'),
      entry('spiffe://example.org/team/ledger', 'wasmcloud:component:ledger'),
    ];
    expectDiagnosis(await chain.examine(), {
      step: 'entry/api',
      code: 'identity_mismatch',
      saw: /no spiffe:\/\/example\.org\/team\/api .*spiffe:\/\/example\.org\/other, spiffe:\/\/example\.org\/third/,
      advice: /policy's spiffeId is wrong.*-spiffeID spiffe:\/\/example\.org\/team\/api/s,
    });
  });

  test('that the agent cannot get signed: it is not asked for the others', async () => {
    const chain = await startChain();
    const agent = await scripted(chain);
    agent.onFetch = () => ({ code: status.UNAVAILABLE, message: 'could not fetch JWT-SVID: connection refused' });
    const checks = await chain.examine();
    expectDiagnosis(checks, {
      step: 'entry/api',
      code: 'identity_unavailable',
      saw: /could not fetch JWT-SVID: connection refused/,
      advice: /Can the agent reach its SPIRE server/,
    });
    expect(check(checks, 'entry/ledger').saw).toBe('not looked at, since entry/api failed');
    expect(agent.fetches.all).toHaveLength(1);
  });

  test('whose answer is no token', async () => {
    const chain = await startChain();
    const agent = await scripted(chain);
    agent.onFetch = () => ({ svids: [{ token: 'a.b.c', id: API }] });
    expectDiagnosis(await chain.examine({ component: 'api' }), {
      step: 'entry/api',
      code: 'identity_response_invalid',
      saw: /unusable JWT-SVID/,
      advice: /something that is no JWT-SVID/,
    });
  });
});

async function signed(chain: Chain, key: TestKey, claims: object = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const usual = { sub: 'spiffe://example.org/team/api', aud: ['sts.amazonaws.com'], iat: now, exp: now + 300 };
  const token = await key.sign({ ...usual, iss: chain.issuer.issuer.url, ...claims });
  chain.tokens.push(token);
  return token;
}

describe('a token', () => {
  let rsa: TestKey;
  let ec: TestKey;
  beforeAll(async () => {
    [rsa, ec] = await Promise.all([makeKey('PS256', 'rsa-key'), makeKey('ES256', 'ec-key')]);
  });

  /** A chain with a key of the test's own, which is in the bundle and published. */
  async function chainWith(key: TestKey, claimsFor: (issuer: string) => object = () => ({})): Promise<Chain> {
    const chain = await startChain();
    const claims = claimsFor(chain.issuer.issuer.url);
    chain.issuer.jwkSet = JSON.stringify({ keys: [key.jwk] });
    const agent = await scripted(chain, { 'spiffe://example.org': chain.issuer.jwkSet });
    agent.onFetch = async () => ({ svids: [{ token: await signed(chain, key, claims), id: API }] });
    return chain;
  }

  test.each<[string, (url: string) => unknown, RegExp, RegExp]>([
    ['without iss', () => undefined, /^the token of api has no "iss"/, /server \{ \}.*\n {4}jwt_issuer = "http:/s],
    [
      'with another iss',
      () => 'https://other.example.org',
      /the iss https:\/\/other\.example\.org, and the configured issuer is http:\/\/127\.0\.0\.1:\d+$/,
      /byte by byte\..*jwt_issuer = "http:/s,
    ],
    ['with a slash too many', (url) => `${url}/`, /they differ by the trailing slash alone$/, /jwt_issuer = "http:/],
    ['with an iss that is a number', () => 42, /the iss 42, and/, /jwt_issuer/],
  ])('%s', async (_, iss, saw, advice) => {
    const chain = await chainWith(ec, (url) => ({ iss: iss(url) }));
    expectDiagnosis(await chain.examine({ component: 'api', grant: 'models' }), {
      step: 'issuer-claim',
      saw,
      advice,
      also: ['exchange'],
    });
  });

  test('signed with a key that the bundle does not have', async () => {
    const chain = await startChain();
    const agent = await scripted(chain);
    agent.onFetch = async () => ({ svids: [{ token: await signed(chain, ec), id: API }] });
    expectDiagnosis(await chain.examine({ component: 'api' }), {
      step: 'signature',
      code: 'token_key_unknown',
      saw: /^the token of api: no key of example\.org fits/,
      advice: 'After a forced rotation the bundle may lag',
      also: ['signing-key', 'exchange'],
    });
  });

  test('whose signature does not verify', async () => {
    const stranger = await makeKey('ES256', ec.kid);
    const chain = await chainWith(ec);
    const agent = await scripted(chain, { 'spiffe://example.org': chain.issuer.jwkSet });
    agent.onFetch = async () => ({ svids: [{ token: await signed(chain, stranger), id: API }] });
    expectDiagnosis(await chain.examine({ component: 'api' }), {
      step: 'signature',
      code: 'token_signature_invalid',
      saw: /^the token of api: the token's signature does not verify/,
      advice: 'Two keys share an ID',
      also: ['signing-key', 'exchange'],
    });
  });

  test('signed as AWS does not take it', async () => {
    const chain = await chainWith(rsa);
    // What is advertised is what is used: the only thing wrong is that AWS cannot read it.
    chain.issuer.tamper('discovery', (json) => ({ ...json, id_token_signing_alg_values_supported: ['PS256'] }));
    chain.issuer.tamper('keys', () => ({ keys: [{ ...rsa.jwk, use: 'sig', alg: 'PS256' }] }));
    expectDiagnosis(await chain.examine({ component: 'api' }), {
      step: 'key-type',
      saw: /^the token of api is signed with PS256, and AWS takes RS256, .*ES512$/,
      advice: /\n {4}jwt_key_type = "ec-p256"$/,
      also: ['exchange'],
    });
  });

  test('that this clock has expired already', async () => {
    const chain = await startChain();
    const checks = await chain.examine({}, { clock: { now: () => Date.now() + 3600_000, after: setAfter } });
    expectDiagnosis(checks, {
      step: 'clocks',
      code: 'token_expired',
      saw: /^a token of api, just issued, expired 55 minutes ago by this clock$/,
      advice: /date -u.*NTP/s,
    });
  });

  test('from the future is worth a look', async () => {
    const now = Math.floor(Date.now() / 1000);
    const chain = await chainWith(ec, () => ({ iat: now + 95, exp: now + 395 }));
    const checks = await chain.examine({ component: 'api' });
    expect(check(checks, 'clocks')).toMatchObject({
      status: 'warn',
      saw: expect.stringMatching(/^the clock of the SPIRE server is 9\d seconds ahead of this one$/),
    });
  });
});

function setAfter(ms: number, callback: () => void): { cancel(): void } {
  const timer = setTimeout(callback, ms);
  return { cancel: () => clearTimeout(timer) };
}
