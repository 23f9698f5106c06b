import { describe, expect, test } from 'vitest';
import { X509Bundle } from '../../src/spiffe/x509-bundle.ts';
import { EXAMPLE_TRUST_DOMAIN } from '../fakes/trust-domain.ts';
import type { RawOutcome } from '../support/raw-delegate.ts';
import type { ContractWorld } from './world.ts';

type Message = RawOutcome<{ readonly bundles: Readonly<Record<string, string>> }>;

/** The JWK Set of example.org in a message; throws for the end of the stream. */
export function jwkSetOf(message: Message): string {
  if (!('bundles' in message)) throw new Error(`the stream ended: ${message.code} ${message.details}`);
  return message.bundles['spiffe://example.org'] ?? '';
}

/** The key IDs of example.org in a message, sorted: SPIRE's order is random. */
export function keyIdsOf(message: Message): readonly string[] {
  const { keys }: { keys: { kid: string }[] } = JSON.parse(jwkSetOf(message));
  return keys.map(({ kid }) => kid).toSorted();
}

/** The X.509 bundle of example.org in a message; throws for the end of the stream. */
function x509BundleOf(message: Message): X509Bundle {
  return X509Bundle.parse(EXAMPLE_TRUST_DOMAIN, Buffer.from(jwkSetOf(message), 'base64'));
}

export function describeBundles(world: ContractWorld): void {
  describe('the stream of JWT bundles', () => {
    test('begins at once, with the trust domain as a SPIFFE ID', async () => {
      const message = await world.delegate().subscribe().next();
      expect('bundles' in message && Object.keys(message.bundles)).toEqual(['spiffe://example.org']);
    });

    test('has a plain JWK Set: no use, no alg, nothing of SPIFFE, nothing private', async () => {
      const jwkSet: unknown = JSON.parse(jwkSetOf(await world.delegate().subscribe().next()));
      expect(jwkSet).toEqual({ keys: expect.any(Array) });
      const { keys } = Object(jwkSet);
      expect(keys.length).toBeGreaterThan(0);
      const coordinate = expect.stringMatching(/^[\w-]{43}$/);
      for (const key of keys) {
        expect(key).toEqual({
          kty: 'EC',
          crv: 'P-256',
          kid: expect.stringMatching(/^[A-Za-z0-9]{32}$/),
          x: coordinate,
          y: coordinate,
        });
      }
    });

    test('is there for many at once, and one that leaves disturbs nobody', async () => {
      const delegate = world.delegate();
      const [leaving, staying] = [delegate.subscribe(), delegate.subscribe()];
      const keys = keyIdsOf(await leaving.next());
      leaving.cancel();
      expect(await leaving.next()).toMatchObject({ code: 1 });
      expect(keyIdsOf(await staying.next())).toEqual(keys);
      expect(keyIdsOf(await delegate.subscribe().next())).toEqual(keys);
    });
  });

  describe('the stream of X.509 bundles', () => {
    test('begins at once, with certificates in DER of the trust domain as a SPIFFE ID: authorities, all of them', async () => {
      const message = await world.delegate().subscribe('X.509').next();
      expect('bundles' in message && Object.keys(message.bundles)).toEqual(['spiffe://example.org']);
      const { authorities, skippedKeys } = x509BundleOf(message);
      expect([authorities.length > 0, skippedKeys]).toEqual([true, 0]);
      for (const { certificate } of authorities) {
        expect(certificate.uris).toEqual(['spiffe://example.org']);
        expect(certificate.keyUsage).toMatchObject({ keyCertSign: true, cRLSign: true, digitalSignature: false });
      }
    });

    test('a further authority is sent beside those that are there', async () => {
      const stream = world.delegate().subscribe('X.509');
      const before = x509BundleOf(await stream.next()).authorities.map(({ keyId }) => keyId);
      await world.agent().prepareX509();
      let after = before;
      // SPIRE sends what has not changed again.
      while (after.length === before.length) {
        after = x509BundleOf(await stream.next()).authorities.map(({ keyId }) => keyId);
      }
      expect(after).toEqual(expect.arrayContaining(before));
    });
  });
}
