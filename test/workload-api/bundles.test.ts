import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { createWorkloadApi } from '../../src/identity/workload-api/api.ts';
import { createWorkloadJwtBundleSource } from '../../src/identity/workload-api/jwt-bundle-source.ts';
import { compilePolicies } from '../../src/policy/policy-set.ts';
import { JwtBundle } from '../../src/spiffe/jwt-bundle.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { createJwtProfile } from '../../src/workload-api/jwt-profile.ts';
import { startWorkloadApiServer } from '../../src/workload-api/server.ts';
import { createFakeBroker } from '../fakes/broker.ts';
import { createMemoryLog } from '../fakes/log.ts';
import { createArrivals } from '../support/arrivals.ts';
import { rotations } from '../support/bundle-stream.ts';
import { createRawWorkload, openWorkloadApi } from '../support/raw-workload.ts';
import { tempFolder } from '../support/temp.ts';
import { API_POLICY, startWorld } from '../support/world.ts';

const OURS = 'spiffe://example.org';
const trustDomain = TrustDomain.parse('example.org');
const partner = TrustDomain.parse('partner.example');

/** A server of the test's own, with bundles and policies in its hands. */
async function startServer(initial: readonly JwtBundle[]) {
  const listeners = new Set<() => void>();
  let held = initial;
  let policies = compilePolicies([{ file: 'api.yaml', text: API_POLICY }], trustDomain);
  const bundles = {
    get: (wanted: TrustDomain) => held.find((bundle) => bundle.trustDomain.equals(wanted)),
    all: () => held,
    onChange(listener: () => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const profile = createJwtProfile(
    { trustDomain, broker: createFakeBroker(), policies: () => policies, bundles, clock: systemClock },
    { component: 'api' },
  );
  const socketPath = join(await tempFolder(), 's');
  const server = await startWorkloadApiServer({ socketPath, profile, bundles });
  onTestFinished(server.close);
  return {
    endpoint: `unix://${socketPath}`,
    server,
    listeners,
    setBundles(next: readonly JwtBundle[]) {
      held = next;
      for (const listener of listeners) listener();
    },
    setPolicies: (text: string) => {
      policies = compilePolicies(text === '' ? [] : [{ file: 'other.yaml', text }], trustDomain);
    },
  };
}

async function threeSets(): Promise<[string, string, string]> {
  const [first = '', second = '', third = ''] = await rotations(3);
  return [first, second, third];
}

const parse = (jwkSet: string, whose = trustDomain): JwtBundle => JwtBundle.parse(whose, jwkSet);
const sorted = (jwkSet: string): object => ({
  keys: expect.arrayContaining(JSON.parse(jwkSet).keys.map((key: object) => expect.objectContaining(key))),
});

describe('FetchJWTBundles', () => {
  test('begins at once, with plain keys, and pushes the complete state after a rotation', async () => {
    const world = await startWorld();
    const { api } = await openWorkloadApi(world.config.brokerSocket, 'api');
    const stream = api.subscribe();
    const first = await stream.next();
    expect(first).toEqual({ [OURS]: JSON.parse(world.trust.authority.jwkSet()) });
    await world.trust.authority.prepare();
    const second = await stream.next();
    expect(Object.keys(second)).toEqual([OURS]);
    expect(Object.values(second)[0].keys).toHaveLength(2);
    expect(JSON.stringify(second)).not.toMatch(/"(d|use|alg)"/);
  });

  test('keeps trust domains apart, and leaves out who is gone', async () => {
    const [first, second, third] = await threeSets();
    const server = await startServer([parse(first), parse(third, partner)]);
    const stream = createRawWorkload(server.endpoint).subscribe();
    expect(await stream.next()).toEqual({ [OURS]: sorted(first), 'spiffe://partner.example': sorted(third) });
    server.setBundles([parse(second)]);
    expect(await stream.next()).toEqual({ [OURS]: sorted(second) });
  });

  test('is understood by our own client, change by change', async () => {
    const [first, second, third] = await threeSets();
    const server = await startServer([parse(first), parse(third, partner)]);
    const source = createWorkloadJwtBundleSource({
      api: createWorkloadApi(server.endpoint),
      trustDomain,
      clock: systemClock,
      random: () => 0.5,
      logger: createMemoryLog().logger,
      timeoutMs: 5_000,
    });
    onTestFinished(source.close);
    const changes = createArrivals<null>();
    source.onChange(() => changes.push(null));
    await changes.next();
    expect(source.get(trustDomain)?.equals(parse(first))).toBe(true);
    expect(source.get(partner)?.equals(parse(third, partner))).toBe(true);
    server.setBundles([parse(second)]);
    await changes.next();
    expect(source.all()).toHaveLength(1);
    expect(source.get(trustDomain)?.equals(parse(second))).toBe(true);
  });

  test('is Unavailable while there is none, never an empty map', async () => {
    const [first] = await threeSets();
    const server = await startServer([]);
    const api = createRawWorkload(server.endpoint);
    expect(await api.subscribe().next()).toEqual({ code: 14, details: 'no bundle is at hand yet' });
    server.setBundles([parse(first)]);
    expect(await api.subscribe().next()).toEqual({ [OURS]: sorted(first) });
  });

  test('sends a bundle without keys as it is: it takes trust back', async () => {
    const [first] = await threeSets();
    const server = await startServer([parse(first)]);
    const stream = createRawWorkload(server.endpoint).subscribe();
    await stream.next();
    server.setBundles([parse('{"keys":[]}')]);
    expect(await stream.next()).toEqual({ [OURS]: { keys: [] } });
  });

  test('ends with the policy of its component, at the next change, and refuses the next stream', async () => {
    const [first, second] = await threeSets();
    const server = await startServer([parse(first)]);
    const api = createRawWorkload(server.endpoint);
    const stream = api.subscribe();
    await stream.next();
    server.setPolicies(API_POLICY.replace('component: api', 'component: other'));
    server.setBundles([parse(second)]);
    const denied = { code: 7, details: 'no identity issued' };
    expect(await stream.next()).toEqual(denied);
    expect(await api.subscribe().next()).toEqual(denied);
    expect(await api.call('ValidateJWTSVID', { audience: 'a', svid: 'x' })).toEqual(denied);
  });

  test('a stream that has left disturbs nobody', async () => {
    const [first, second] = await threeSets();
    const server = await startServer([parse(first)]);
    const api = createRawWorkload(server.endpoint);
    const [leaving, staying] = [api.subscribe(), api.subscribe()];
    await Promise.all([leaving.next(), staying.next()]);
    leaving.cancel();
    expect(await leaving.next()).toMatchObject({ code: 1 });
    server.setBundles([parse(second)]);
    expect(await staying.next()).toEqual({ [OURS]: sorted(second) });
  });

  test('ends with the server, which forgets its source', async () => {
    const [first] = await threeSets();
    const server = await startServer([parse(first)]);
    const stream = createRawWorkload(server.endpoint).subscribe();
    await stream.next();
    await server.server.close();
    expect(await stream.next()).toMatchObject({ code: expect.any(Number) });
    expect(server.listeners.size).toBe(0);
  });
});

describe('a policy that is taken back', () => {
  test('takes the identity back at the next call', async () => {
    const world = await startWorld();
    const { api } = await openWorkloadApi(world.config.brokerSocket, 'api');
    const request = { audience: ['sts.amazonaws.com'] };
    expect(await api.call('FetchJWTSVID', request)).toMatchObject({ svids: [{}] });
    await rm(join(world.policyFolder, 'api.yaml'));
    const denied = { code: 7, details: 'no identity issued' };
    await expect.poll(() => api.call('FetchJWTSVID', request), { timeout: 10_000 }).toEqual(denied);
  });
});
