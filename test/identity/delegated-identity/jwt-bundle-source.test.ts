import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createDelegatedIdentityApi } from '../../../src/identity/delegated-identity/api.ts';
import { createDelegatedJwtBundleSource } from '../../../src/identity/delegated-identity/jwt-bundle-source.ts';
import { TrustDomain } from '../../../src/spiffe/trust-domain.ts';
import { createFakeClock } from '../../fakes/clock.ts';
import { createMemoryLog } from '../../fakes/log.ts';
import type { AgentStream } from '../../fakes/scripted-agent.ts';
import { startFakeSpire } from '../../fakes/trust-domain.ts';
import { createArrivals } from '../../support/arrivals.ts';
import { type BundleStream, keyIds, openBundleStream, rotations } from '../../support/bundle-stream.ts';
import { eventually } from '../../support/eventually.ts';

const OURS = 'spiffe://example.org';

/** A stream whose first message was taken in: `example.org` with one key. */
async function withFirstMessage() {
  const [first = '', second = '', third = ''] = await rotations(3);
  const world = await openBundleStream();
  const stream = await world.nextStream();
  stream.send({ [OURS]: first });
  await world.changes.next();
  return { ...world, stream, first, second, third };
}

/** Sends another set of our keys and waits until it is held: all that was sent before has been taken in then. */
async function flush(world: BundleStream, stream: AgentStream, jwkSet: string): Promise<void> {
  stream.send({ [OURS]: jwkSet });
  await eventually(async () => expect(world.keys('example.org')).toEqual(keyIds(jwkSet)));
}

describe('what the stream says is held', () => {
  test('there is no bundle before the first message', async () => {
    const { nextStream, keys } = await openBundleStream();
    await nextStream();
    expect(keys('example.org')).toBeUndefined();
  });

  test('the first message, and then each change by a rotation', async () => {
    const { stream, first, second, third, keys, changes } = await withFirstMessage();
    expect(keys('example.org')).toEqual(keyIds(first));
    stream.send({ [OURS]: second });
    await changes.next();
    expect(keys('example.org')).toEqual(keyIds(second));
    stream.send({ [OURS]: third });
    await changes.next();
    expect(keys('example.org')).toEqual(keyIds(third));
    expect(changes.all).toHaveLength(3);
  });

  test('the embedded agent pushes a rotation as SPIRE does', async () => {
    const spire = await startFakeSpire();
    const changes = createArrivals<null>();
    const source = createDelegatedJwtBundleSource({
      connect: () => createDelegatedIdentityApi(spire.socketPath),
      trustDomain: TrustDomain.parse('example.org'),
      clock: createFakeClock(),
      random: Math.random,
      logger: createMemoryLog().logger,
      timeoutMs: 5_000,
    });
    source.onChange(() => changes.push(null));
    await changes.next();
    const held = () => source.get(TrustDomain.parse('example.org'))?.authorities.map(({ keyId }) => keyId);
    const before = held();
    expect(before).toEqual(keyIds(spire.authority.jwkSet()));
    await spire.authority.rotate();
    await changes.next();
    expect(held()).toEqual(keyIds(spire.authority.jwkSet()));
    expect(held()).toHaveLength(2);
    source.close();
  });

  test('the same keys in another order, or indented otherwise, are no change', async () => {
    const world = await withFirstMessage();
    const { stream, second, third, source, changes } = world;
    await flush(world, stream, second);
    const before = source.get(TrustDomain.parse('example.org'));
    const { keys }: { keys: object[] } = JSON.parse(second);
    stream.send({ [OURS]: second });
    stream.send({ [OURS]: JSON.stringify({ keys: keys.toReversed() }) });
    stream.send({ 'example.org': JSON.stringify({ more: 1, keys }, null, 8) });
    await flush(world, stream, third);
    expect(changes.all).toHaveLength(3);
    expect(before?.authorities).toHaveLength(2);
    expect(world.logged('bundles.changed')).toHaveLength(3);
  });

  test('a key is gone when a message no longer has it', async () => {
    const world = await withFirstMessage();
    await flush(world, world.stream, world.second);
    await flush(world, world.stream, world.first);
    expect(world.keys('example.org')).toEqual(keyIds(world.first));
  });

  test('a trust domain may have no key at all: then nothing is trusted', async () => {
    const world = await withFirstMessage();
    await flush(world, world.stream, '{"keys":[]}');
    expect(world.keys('example.org')).toEqual([]);
  });

  test('what changed is logged: trust domains and key IDs, no key', async () => {
    const { log, first } = await withFirstMessage();
    const [line] = log.entries();
    expect(line).toMatchObject({
      level: 'info',
      event: 'bundles.changed',
      kind: 'JWT',
      msg: 'bundles changed',
      bundles: [{ trustDomain: 'example.org', keyIds: keyIds(first), skippedKeys: 0 }],
    });
    expect(log.lines.join('')).not.toContain('"x"');
  });

  test('a listener that went away is not called', async () => {
    const world = await withFirstMessage();
    const calls: string[] = [];
    const stop = world.source.onChange(() => calls.push('stopped'));
    world.source.onChange(() => calls.push('stays'));
    stop();
    await flush(world, world.stream, world.second);
    expect(calls).toEqual(['stays']);
  });
});

describe('several trust domains', () => {
  test('are kept apart, whichever form their keys have', async () => {
    const [ours = ''] = await rotations(1);
    const [theirs = ''] = await rotations(1);
    const world = await openBundleStream();
    const stream = await world.nextStream();
    stream.send({ [OURS]: ours, 'partner.example': theirs });
    await world.changes.next();
    expect(world.keys('example.org')).toEqual(keyIds(ours));
    expect(world.keys('partner.example')).toEqual(keyIds(theirs));
    expect(world.keys('other.example')).toBeUndefined();
    expect(world.source.get(TrustDomain.parse('partner.example'))?.trustDomain.name).toBe('partner.example');
  });

  test('one that a message no longer names is gone, ours too', async () => {
    const world = await withFirstMessage();
    const [theirs = ''] = await rotations(1);
    world.stream.send({ [OURS]: world.first, 'spiffe://partner.example': theirs });
    await world.changes.next();
    world.stream.send({ [OURS]: world.first });
    await world.changes.next();
    expect(world.keys('partner.example')).toBeUndefined();
    expect(world.keys('example.org')).toEqual(keyIds(world.first));
    world.stream.send({ 'spiffe://partner.example': theirs });
    await world.changes.next();
    expect(world.keys('example.org')).toBeUndefined();
  });
});

describe('what is unreadable never takes keys away', () => {
  test.each([
    ['bytes that are no message', Buffer.of(255, 255)],
    ['a field of the wrong type', Buffer.of(0x08, 0x01, 0x0a)],
    ['an entry without a value', Buffer.of(0x0a, 0x03, 0x0a, 0x01, 0x61)],
  ])('%s: the stream goes on, the last good bundles stay, the log says so', async (_, bytes) => {
    const world = await withFirstMessage();
    world.stream.sendBytes(bytes);
    world.stream.send({ [OURS]: world.first, 'spiffe://partner.example': world.second });
    await world.changes.next();
    expect(world.keys('example.org')).toEqual(keyIds(world.first));
    expect(world.changes.all).toHaveLength(2);
    expect(world.agent.streams.all).toHaveLength(1);
    expect(world.logged('bundles.bad_message')).toMatchObject([
      { level: 'error', msg: 'unreadable message in the bundle stream, keeping the last good bundles' },
    ]);
  });

  test.each(['', 'not JSON', '[]', '{}', '{"keys":{}}', '\u0000', '{"keys":[]'])(
    'a bundle of %j: the last good one of that trust domain stays, others go on',
    async (text) => {
      const world = await withFirstMessage();
      world.stream.send({ [OURS]: text, 'spiffe://partner.example': world.second });
      await world.changes.next();
      expect(world.keys('example.org')).toEqual(keyIds(world.first));
      expect(world.keys('partner.example')).toEqual(keyIds(world.second));
      expect(world.logged('bundles.bad_bundle')).toMatchObject([
        { level: 'error', trustDomain: 'example.org', error: { code: 'bundle_invalid' } },
      ]);
    },
  );

  test('a bad bundle of a trust domain that was never known is left out', async () => {
    const world = await withFirstMessage();
    world.stream.send({ [OURS]: world.second, 'spiffe://partner.example': 'not JSON' });
    await world.changes.next();
    expect(world.keys('example.org')).toEqual(keyIds(world.second));
    expect(world.keys('partner.example')).toBeUndefined();
  });

  test.each([
    '',
    'spiffe://',
    'Example.org',
    'spiffe://example.org/path',
    'https://example.org',
    'spiffe://spiffe://a',
  ])('a trust domain named %j is passed over, and nobody is taken away by a message that has one', async (name) => {
    const world = await withFirstMessage();
    world.stream.send({ [name]: world.second, 'spiffe://partner.example': world.second });
    await world.changes.next();
    expect(world.keys('example.org')).toEqual(keyIds(world.first));
    expect(world.keys('partner.example')).toEqual(keyIds(world.second));
    expect(world.logged('bundles.bad_trust_domain')).toMatchObject([
      { level: 'error', error: { code: 'trust_domain_invalid' } },
    ]);
  });

  test('bytes at random end neither the stream nor the process', async () => {
    const world = await withFirstMessage();
    for (const bytes of fc.sample(fc.uint8Array({ maxLength: 40 }), 300)) world.stream.sendBytes(bytes);
    world.stream.send({ [OURS]: world.first, 'spiffe://last.example': world.second });
    await eventually(async () => expect(world.keys('last.example')).toEqual(keyIds(world.second)));
    expect(world.keys('example.org')).toEqual(keyIds(world.first));
    expect(world.agent.streams.all).toHaveLength(1);
  });

  test('a message whose every part is bad changes nothing', async () => {
    const world = await withFirstMessage();
    world.stream.send({ [OURS]: 'bad', Bad: 'bad' });
    await flush(world, world.stream, world.second);
    expect(world.changes.all).toHaveLength(2);
  });

  test('key material in a bad message does not reach the log', async () => {
    const world = await withFirstMessage();
    const token = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJzcGlmZmU6Ly9hIn0.c2lnbmF0dXJl';
    world.stream.send({ [OURS]: token, [token]: token });
    await flush(world, world.stream, world.second);
    expect(world.log.lines.join('\n')).not.toMatch(/eyJ|c2lnbmF0dXJl/);
  });
});
