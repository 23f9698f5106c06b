import { decodeProtectedHeader } from 'jose';
import { expect, test } from 'vitest';
import type { RawDelegate, RawStream } from '../support/raw-delegate.ts';
import { until } from '../support/until.ts';
import { fetchSvid } from './ask.ts';
import { keyIdsOf } from './bundles.ts';
import { type ContractWorld, PROPAGATION } from './world.ts';

/** The ID of the key that signs, or once signed, tokens of this audience. */
async function signer(delegate: RawDelegate, audience: string): Promise<string | undefined> {
  const { token } = await fetchSvid(delegate, [audience], 'wasmcloud:component:api');
  return decodeProtectedHeader(token).kid;
}

/** Reads on until a message has exactly these keys. Others may come before: SPIRE sends what has not changed again. */
async function readUntil(stream: RawStream, keyIds: readonly string[]): Promise<void> {
  const expected = keyIds.toSorted().join();
  while (keyIdsOf(await stream.next()).join() !== expected);
}

export function describeRotation(world: ContractWorld): void {
  test('the keys of JWT-SVIDs change in four steps: prepare, activate, taint, revoke', async () => {
    const { agent } = world;
    const delegate = world.delegate();
    const stream = delegate.subscribe();
    const before = keyIdsOf(await stream.next());
    const old = (await signer(delegate, 'rotation-before')) ?? '';
    expect(before).toContain(old);

    // Prepared: published beside all the others, one prepared before and never used among them, and signs nothing yet.
    const unused = await agent().prepare();
    await readUntil(stream, [...before, unused]);
    const next = await agent().prepare();
    await readUntil(stream, [...before, unused, next]);
    expect(await signer(delegate, 'rotation-prepared')).toBe(old);
    await expect(agent().taint(old)).rejects.toThrow('unable to taint current local authority');

    // Activated: signs. What the agent holds it keeps.
    await agent().activate(next);
    expect(await signer(delegate, 'rotation-activated')).toBe(next);
    expect(await signer(delegate, 'rotation-before')).toBe(old);
    await expect(agent().revoke(old)).rejects.toThrow('it is not possible to revoke an untainted key');

    // Tainted: still published, and the agent lets its tokens go.
    await agent().taint(old);
    const look = () => signer(delegate, 'rotation-before');
    await until('a token of the new key', look, (keyId) => keyId === next, PROPAGATION);
    expect(keyIdsOf(await delegate.subscribe().next())).toEqual([...before, unused, next].toSorted());

    // Revoked: gone.
    await agent().revoke(old);
    await readUntil(stream, [...before.filter((keyId) => keyId !== old), unused, next]);
    expect(await signer(delegate, 'rotation-revoked')).toBe(next);
  });
}
