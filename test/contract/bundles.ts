import { describe, expect, test } from 'vitest';
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
}
