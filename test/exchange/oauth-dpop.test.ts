import { createHash } from 'node:crypto';
import {
  CompactSign,
  calculateJwkThumbprint,
  compactVerify,
  decodeJwt,
  decodeProtectedHeader,
  EmbeddedJWK,
  importJWK,
} from 'jose';
import { describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import type { BoundAccessToken } from '../../src/credentials/credentials.ts';
import type { OAuthGrant } from '../../src/credentials/grants/oauth.ts';
import { createOAuthExchanger } from '../../src/exchange/oauth.ts';
import {
  type AuthorizationServer,
  type AuthorizationServerOptions,
  PUBLIC_CLIENT,
  startAuthorizationServer,
} from '../fakes/authorization-server.ts';
import { unaborted } from '../support/delegated-identity.ts';
import { bound, keyOf } from '../support/dpop.ts';
import { refusal } from '../support/errors.ts';
import { type Federation, SUBJECT, startFederation } from '../support/federation.ts';
import { oauthGrantOf } from '../support/oauth.ts';
import { errorText, expectNoSecrets } from '../support/secrets.ts';
import { startWorld } from '../support/world.ts';

interface Far {
  readonly authority: Federation;
  readonly server: AuthorizationServer;
}

async function startFar(dpop: NonNullable<AuthorizationServerOptions['dpop']>): Promise<Far> {
  const authority = await startFederation();
  const trusted = () => ({ issuer: authority.issuer, subjects: [SUBJECT] });
  return { authority, server: await startAuthorizationServer({ trusted, dpop }) };
}

/** A clock that is off by so many milliseconds. */
function clockOff(ms: number): Clock {
  return { now: () => systemClock.now() + ms, after: systemClock.after };
}

async function exchange({ authority, server }: Far, changes: Partial<OAuthGrant>, clock: Clock = systemClock) {
  const subjectToken = await authority.mint(server.issuer);
  const exchanger = createOAuthExchanger({ clock, random: () => 0.5 });
  const grant = oauthGrantOf(server.issuer, { dpop: true, ...changes });
  return { running: exchanger.exchange(subjectToken, grant, { signal: unaborted() }), token: subjectToken.token };
}

/** The nonces that the proofs of a server have. */
function noncesOf({ proofs }: AuthorizationServer): unknown[] {
  return proofs.all.map((proof) => decodeJwt(proof)['nonce']);
}

const FLOWS = [
  { flow: 'token-exchange', clientId: PUBLIC_CLIENT },
  { flow: 'jwt-bearer', clientId: PUBLIC_CLIENT },
  { flow: 'client-credentials' },
] as const;

describe('a token that is bound to a key', () => {
  test.each(FLOWS)('is what the grant gets that asks for it: $flow', async (changes) => {
    const far = await startFar('known');
    const credentials = bound(await (await exchange(far, changes)).running);
    expect(credentials).toMatchObject({ kind: 'oauth', tokenType: 'DPoP' });
    expect(Object.isFrozen(credentials)).toBe(true);
    const { d, ...publicKey } = keyOf(credentials);
    expect(publicKey).toEqual({ kty: 'EC', crv: 'P-256', alg: 'ES256', x: expect.any(String), y: expect.any(String) });
    // The server has bound the token to the key that we hand out,
    const known = await far.server.find(credentials.token.reveal());
    expect(known?.jkt).toBe(await calculateJwkThumbprint(publicKey));
    // and whoever has that can sign what the server's key verifies.
    const proof = await signProof(credentials);
    await expect(compactVerify(proof, await importJWK(publicKey, 'ES256'))).resolves.toBeDefined();
    expectNoSecrets(JSON.stringify(credentials), [credentials.token.reveal(), d]);
  });

  test('is asked for with a proof as RFC 9449 section 4.2 has it, and with the public key alone', async () => {
    const far = await startFar('known');
    const clock = clockOff(-30_000);
    const credentials = await (await exchange(far, FLOWS[0], clock)).running;
    const [proof = ''] = far.server.proofs.all;
    expect(far.server.proofs.all).toHaveLength(1);
    const { kty, crv, x, y } = keyOf(credentials);
    expect(decodeProtectedHeader(proof)).toEqual({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } });
    const { iat = 0, ...claims } = decodeJwt(proof);
    expect(claims).toEqual({
      jti: expect.stringMatching(/^[\w-]{22,}$/),
      htm: 'POST',
      htu: `${far.server.issuer}/token`,
    });
    // The time is that of our clock, not of the library's.
    expect(Math.abs(iat - clock.now() / 1000)).toBeLessThan(10);
    await expect(compactVerify(proof, EmbeddedJWK)).resolves.toBeDefined();
  });

  test.each(FLOWS)('is had from a server that wants a nonce, which is asked twice: $flow', async (changes) => {
    const far = await startFar('with nonces');
    const credentials = await (await exchange(far, changes)).running;
    expect((await far.server.find(bound(credentials).token.reveal()))?.jkt).toBe(
      await calculateJwkThumbprint(keyOf(credentials)),
    );
    expect(noncesOf(far.server)).toEqual([undefined, expect.stringMatching(/^[\w-]{20,}$/)]);
    // Both requests are the same but for the proof.
    const [first, second] = far.server.forms.all.map(String);
    expect(second).toBe(first);
  });

  test('is had with a clock that is wrong, from a server that has nonces for that', async () => {
    const far = await startFar('known');
    const credentials = await (await exchange(far, FLOWS[0], clockOff(-3_600_000 / 2))).running;
    expect(bound(credentials).tokenType).toBe('DPoP');
    expect(noncesOf(far.server)).toEqual([undefined, expect.any(String)]);
  });

  test('has a key of its own each time, and so has each proof', async () => {
    const far = await startFar('with nonces');
    const all = await Promise.all(FLOWS.map(async (changes) => (await exchange(far, changes)).running));
    expect(new Set(all.map((credentials) => keyOf(credentials).d)).size).toBe(3);
    expect(new Set(far.server.proofs.all.map((proof) => decodeJwt(proof).jti)).size).toBe(6);
  });

  test('is not what a grant gets that does not ask', async () => {
    const far = await startFar('known');
    for (const changes of FLOWS) {
      const credentials = await (await exchange(far, { ...changes, dpop: false })).running;
      expect(credentials).toMatchObject({ kind: 'oauth', tokenType: 'Bearer' });
      expect(credentials).not.toHaveProperty('proofKey');
    }
    expect(far.server.proofs.all).toEqual(['', '', '']);
  });
});

describe('a server', () => {
  test.each(FLOWS)('that knows no DPoP answers with a bearer token, which is refused: $flow', async (changes) => {
    const far = await startFar('unknown');
    const { running, token } = await exchange(far, changes);
    const error = await refusal(running);
    expect(error.code).toBe('exchange_response_invalid');
    expect(error.message).toMatch(
      /^the authorization server answered with a token that is not bound to a key \(DPoP\)/,
    );
    expect(far.server.forms.all).toHaveLength(1);
    expectNoSecrets(errorText(error), [token.reveal()]);
    // Control: the same server gives the grant that does not ask what it has.
    expect((await (await exchange(far, { ...changes, dpop: false })).running).kind).toBe('oauth');
  });

  test.each<[string, (proof: string) => string]>([
    ['whose signature is not of its key', (proof) => proof.replace(/[^.]*$/, 'A'.repeat(86))],
    ['of other claims', (proof) => proof.replace(/\.[^.]*\./, `.${base64({ ...decodeJwt(proof), htm: 'GET' })}.`)],
    ['of another type', (proof) => proof.replace(/^[^.]*/, base64({ ...decodeProtectedHeader(proof), typ: 'JWT' }))],
    ['that is none', () => 'x'],
  ])('is given a proof %s, and refuses it', async (_, onProof) => {
    const far = await startFar('known');
    far.server.onProof = onProof;
    const { running, token } = await exchange(far, FLOWS[0]);
    const error = await refusal(running);
    expect(error).toMatchObject({
      code: 'exchange_request_rejected',
      message: expect.stringContaining('dpop of the grant'),
      detail: expect.stringMatching(/^HTTP 400, invalid_dpop_proof: /),
    });
    expect(far.server.forms.all).toHaveLength(1);
    expectNoSecrets(errorText(error), [token.reveal(), ...far.server.proofs.all]);
  });

  test('that is given a proof it has seen refuses it', async () => {
    const far = await startFar('known');
    await (await exchange(far, FLOWS[2])).running;
    const [first = ''] = far.server.proofs.all;
    far.server.onProof = () => first;
    const error = await refusal((await exchange(far, FLOWS[2])).running);
    expect(error).toMatchObject({ code: 'exchange_token_rejected', detail: expect.stringContaining('invalid_grant') });
  });
});

describe('the whole service', () => {
  test('makes one token and one key for all who ask, and says nothing of either', async () => {
    let issuer = '';
    const server = await startAuthorizationServer({
      trusted: () => ({ issuer, subjects: [SUBJECT] }),
      dpop: 'with nonces',
    });
    const policy = `
component: api
spiffeId: ${SUBJECT}
selectors: [wasmcloud:component:api]
grants:
  payments:
    oauth: { issuer: '${server.issuer}', clientId: ${PUBLIC_CLIENT}, dpop: true }
`;
    const world = await startWorld({ policies: { 'api.yaml': policy } });
    issuer = world.config.issuer.url;
    const all = await Promise.all(
      Array.from({ length: 100 }, () => world.service.broker.credentials({ component: 'api' }, 'payments')),
    );
    expect(new Set(all.map((credentials) => keyOf(credentials).d)).size).toBe(1);
    expect(new Set(all.map((credentials) => bound(credentials).token.reveal())).size).toBe(1);
    expect(server.forms.all).toHaveLength(2);
    const [credentials] = all;
    if (credentials === undefined) throw new Error('expected credentials');
    const { token } = bound(credentials);
    expectNoSecrets(world.log.lines, [token.reveal(), keyOf(credentials).d, ...server.proofs.all]);
  });
});

function base64(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** A proof for a protected resource (RFC 9449 section 7), as the holder of the credentials makes it. */
async function signProof(credentials: BoundAccessToken): Promise<string> {
  const { d, ...jwk } = keyOf(credentials);
  const ath = createHash('sha256').update(credentials.token.reveal()).digest('base64url');
  const claims = { jti: 'x', htm: 'GET', htu: 'https://api.example.org/', iat: 1_790_000_000, ath };
  return new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk })
    .sign(await importJWK({ ...jwk, d }, 'ES256'));
}
