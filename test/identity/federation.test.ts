import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { parseIssuer } from '../../src/config/issuer.ts';
import { createIssuerApp } from '../../src/http/issuer-app.ts';
import { listenOnTcp } from '../../src/http/listener.ts';
import { verifyJwtSvid } from '../../src/spiffe/jwt-svid.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { type BundleStream, openBundleStream } from '../support/bundle-stream.ts';
import { refusalCode } from '../support/errors.ts';
import { ask } from '../support/http.ts';
import { makeKey, type TestKey } from '../support/jwk.ts';
import { loopbackListeners } from '../support/listeners.ts';

/** A key of each trust domain. They share their ID, which nobody can keep others from choosing. */
let ours: TestKey;
let theirs: TestKey;
beforeAll(async () => {
  [ours, theirs] = await Promise.all([makeKey('ES256', 'same'), makeKey('ES256', 'same')]);
});

/** The stream of an agent in `example.org`, which federates with `partner.example`. */
async function federated(): Promise<BundleStream> {
  const world = await openBundleStream();
  (await world.nextStream()).send({
    'spiffe://partner.example': JSON.stringify({ keys: [theirs.jwk] }),
    'spiffe://example.org': JSON.stringify({ keys: [ours.jwk] }),
  });
  await world.changes.next();
  return world;
}

function claims(trustDomain: string): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000);
  return { sub: `spiffe://${trustDomain}/api`, aud: ['me'], iat: now, exp: now + 60 };
}

describe('federated bundles', () => {
  test('verify the tokens of their own trust domain and of no other: the source is all that is needed', async () => {
    const { source } = await federated();
    const verify = (token: string) =>
      verifyJwtSvid(token, { bundles: source, audience: ['me'], now: Date.now(), leewaySeconds: 0 });
    expect((await verify(await ours.sign(claims('example.org')))).spiffeId.toString()).toBe('spiffe://example.org/api');
    expect((await verify(await theirs.sign(claims('partner.example')))).spiffeId.trustDomain.name).toBe(
      'partner.example',
    );
    expect(await refusalCode(verify(await theirs.sign(claims('example.org'))))).toBe('token_signature_invalid');
    expect(await refusalCode(verify(await ours.sign(claims('partner.example'))))).toBe('token_signature_invalid');
    const unnamed = await theirs.sign(claims('example.org'), { kid: undefined });
    expect(await refusalCode(verify(unnamed))).toMatch(/^token_/);
    expect(await refusalCode(verify(await ours.sign(claims('other.example'))))).toBe('token_trust_domain_unknown');
  });

  test('are not published: the issuer has the keys of its own trust domain only', async () => {
    const { source, changes, agent } = await federated();
    const listener = await listenOnTcp(
      { host: '127.0.0.1', port: 0 },
      { now: Date.now, after: () => ({ cancel() {} }) },
    );
    onTestFinished(listener.close);
    const issuer = parseIssuer(listener.url);
    if ('problem' in issuer) throw new Error(issuer.problem);
    listener.handle(
      createIssuerApp({
        ...loopbackListeners(issuer),
        loopback: true,
        clock: systemClock,
        issuer,
        trustDomain: TrustDomain.parse('example.org'),
        bundles: source,
      }),
    );
    const published = async (): Promise<unknown> => {
      const { status, text } = await ask(listener.url, { path: '/keys' });
      return status === 200 ? JSON.parse(text).keys.map(({ x }: { x: unknown }) => x) : status;
    };
    expect(await published()).toEqual([ours.jwk.x]);

    agent.streams.all[0]?.send({ 'spiffe://partner.example': JSON.stringify({ keys: [theirs.jwk] }) });
    await changes.next();
    expect(source.get(TrustDomain.parse('partner.example'))?.authorities).toHaveLength(1);
    expect(await published()).toBe(503);
  });
});
