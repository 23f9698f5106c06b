import { describe, expect, onTestFinished, test } from 'vitest';
import { createDelegatedIdentityApi } from '../../../src/identity/delegated-identity/api.ts';
import { createDelegatedX509BundleSource } from '../../../src/identity/delegated-identity/x509-bundle-source.ts';
import { TrustDomain } from '../../../src/spiffe/trust-domain.ts';
import { createFakeClock } from '../../fakes/clock.ts';
import { createMemoryLog } from '../../fakes/log.ts';
import { type AgentStream, startScriptedAgent } from '../../fakes/scripted-agent.ts';
import { EXAMPLE_TRUST_DOMAIN, startFakeSpire } from '../../fakes/trust-domain.ts';
import { createArrivals } from '../../support/arrivals.ts';
import { eventually } from '../../support/eventually.ts';
import { createAuthorityCertificate, derOf, x509Bundle } from '../../support/x509-svids.ts';

/** What all streams have in common is in jwt-bundle-*.test.ts; here is what is of X.509 alone. */

function open(socketPath: string) {
  const log = createMemoryLog();
  const source = createDelegatedX509BundleSource({
    connect: () => createDelegatedIdentityApi(socketPath),
    trustDomain: EXAMPLE_TRUST_DOMAIN,
    clock: createFakeClock(),
    random: () => 0.5,
    logger: log.logger,
    timeoutMs: 4_999,
  });
  onTestFinished(() => source.close());
  const changes = createArrivals<null>();
  source.onChange(() => changes.push(null));
  return { source, log, changes, own: () => source.get(EXAMPLE_TRUST_DOMAIN)?.authorities.length };
}

const [one, other] = [createAuthorityCertificate(), createAuthorityCertificate()];
const bytes = (...certificates: (typeof one)[]): Buffer => Buffer.concat(certificates.map(derOf));

async function openScripted() {
  const agent = await startScriptedAgent();
  const opened = open(agent.socketPath);
  const stream: AgentStream = await agent.x509Streams.next();
  return { agent, stream, ...opened };
}

describe('X.509 bundles of the embedded trust domain', () => {
  test('are there, follow a rotation, and are gone once they are revoked', async () => {
    const spire = await startFakeSpire();
    const { source, changes, own, log } = open(spire.socketPath);
    expect(source.health()).toMatchObject({ state: 'down', reason: 'no bundle has arrived yet' });
    await changes.next();
    const [first] = source.get(EXAMPLE_TRUST_DOMAIN)?.authorities ?? [];
    expect([own(), source.health().state]).toEqual([1, 'up']);
    spire.certificateAuthority.rotate();
    await changes.next();
    expect(own()).toBe(2);
    spire.certificateAuthority.revoke();
    await changes.next();
    expect(own()).toBe(1);
    expect(source.get(EXAMPLE_TRUST_DOMAIN)?.authorities).not.toContainEqual(first);
    expect(log.entries().map(({ event, kind }) => [event, kind])).toEqual(Array(3).fill(['bundles.changed', 'X.509']));
  });
});

describe('what an agent says', () => {
  test('keeps trust domains apart, under names and under IDs', async () => {
    const { stream, source, changes } = await openScripted();
    stream.send({ 'spiffe://example.org': bytes(one), 'partner.example': bytes(other) });
    await changes.next();
    const held = source.all().map((bundle) => bundle.authorities.map(({ certificate }) => certificate.x509.raw));
    expect(held).toEqual([[derOf(one)], [derOf(other)]]);
    expect(source.get(TrustDomain.parse('partner.example'))?.equals(x509Bundle('partner.example', other))).toBe(true);
  });

  test('takes a trust domain away with a message that has it no more', async () => {
    const { stream, source, changes } = await openScripted();
    stream.send({ 'spiffe://example.org': bytes(one), 'spiffe://partner.example': bytes(other) });
    await changes.next();
    stream.send({ 'spiffe://example.org': bytes(one) });
    await changes.next();
    expect(source.all().map(({ trustDomain }) => trustDomain.name)).toEqual(['example.org']);
  });

  test.each([
    ['what is no certificate', () => Buffer.from('{"keys":[]}'), 'bundle_invalid'],
    ['a certificate cut short', () => bytes(one).subarray(0, -1), 'bundle_invalid'],
  ])('%s leaves the last good bundle', async (_, bad, code) => {
    const { stream, source, changes, own, log } = await openScripted();
    stream.send({ 'spiffe://example.org': bytes(one), 'spiffe://partner.example': bytes(one) });
    await changes.next();
    stream.send({ 'spiffe://example.org': bad(), 'spiffe://partner.example': bytes(one, other) });
    await changes.next();
    expect(own()).toBe(1);
    expect(source.health()).toMatchObject({ state: 'degraded', code });
    expect(log.entries()).toContainEqual(
      expect.objectContaining({ event: 'bundles.bad_bundle', kind: 'X.509', trustDomain: 'example.org' }),
    );
  });

  test('an empty bundle trusts nobody, and health says so', async () => {
    const { stream, source, changes, own } = await openScripted();
    stream.send({ 'spiffe://example.org': bytes(one) });
    await changes.next();
    stream.send({ 'spiffe://example.org': Buffer.of() });
    await changes.next();
    expect(own()).toBe(0);
    expect(source.health()).toMatchObject({
      state: 'down',
      code: 'bundle_unavailable',
      reason: 'the bundle of example.org has no key for X509-SVIDs: nothing is trusted',
    });
  });

  test('an unreadable message, and one without a map, change nothing', async () => {
    const { stream, source, changes, own } = await openScripted();
    stream.send({ 'spiffe://example.org': bytes(one) });
    await changes.next();
    stream.sendBytes(Buffer.from('ff', 'hex'));
    stream.sendBytes(Buffer.of());
    stream.send({ 'spiffe://example.org': bytes(one, other) });
    await changes.next();
    expect([own(), source.health().state]).toEqual([2, 'up']);
  });

  test.each([
    ['caller not configured as an authorized delegate', 'identity_delegate_unauthorized'],
    ['no identity issued', 'identity_delegate_unauthorized'],
  ])('PermissionDenied, %s: keeps what is held, and says so', async (message, code) => {
    const { stream, source, changes, own } = await openScripted();
    stream.send({ 'spiffe://example.org': bytes(one) });
    await changes.next();
    stream.fail(7, message);
    await eventually(async () => expect(source.health()).toMatchObject({ state: 'degraded', code }));
    expect(own()).toBe(1);
  });
});
