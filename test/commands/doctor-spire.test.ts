import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { startScriptedAgent } from '../fakes/scripted-agent.ts';
import { entry } from '../fakes/trust-domain.ts';
import { type Chain, check, expectDiagnosis, startChain } from '../support/doctor.ts';
import { API_ID, scripted } from '../support/scripted-chain.ts';
import { staleSocket, talkingSocket } from '../support/sockets.ts';
import { LEDGER_POLICY } from '../support/world.ts';

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
      ({ folder }) => `${folder}/nothing/admin.sock`,
      /^there is no folder .*\/nothing$/,
      /admin_socket_path = ".*\/nothing\/admin\.sock"$/,
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
    agent.onFetch = () => ({ svids: [{ token: 'a.b.c', id: API_ID }] });
    expectDiagnosis(await chain.examine({ component: 'api' }), {
      step: 'entry/api',
      code: 'identity_response_invalid',
      saw: /unusable JWT-SVID/,
      advice: /something that is no JWT-SVID/,
    });
  });
});
