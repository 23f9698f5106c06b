import { decodeJwt, decodeProtectedHeader } from 'jose';
import { beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { connectSvidSource, subject, unaborted } from '../support/delegated-identity.ts';
import { until } from '../support/until.ts';
import { createOutsideClient, publishedKeys } from './support/outside-client.ts';
import { OUR_SELECTOR } from './support/spire.ts';
import { outcome, SOON, type SpireWorld, startSpireWorld } from './support/spire-world.ts';

const API_ID = 'spiffe://example.org/spiffe-in-practice/api-gateway';
const API = subject(API_ID, 'wasmcloud:component:api-gateway');

describe.skipIf(inject('spire') === undefined)('the flow at a real SPIRE, set up by the files of deploy/spire/', () => {
  let world: SpireWorld;
  beforeAll(async () => {
    world = await startSpireWorld();
    return world.close;
  });

  /** What a new call at the agent comes to, nothing of ours in between but the source. */
  function source(socket = world.spire.adminSocket) {
    const svids = connectSvidSource(socket);
    return (who = API, audience = 'a') => outcome(svids.fetchJwtSvid(who, [audience], unaborted()));
  }

  /** Waits until a new call comes to this. */
  async function soon(expected: string, who = API): Promise<void> {
    const ask = source();
    await until(
      expected,
      () => ask(who),
      (seen) => seen === expected,
      SOON,
    );
  }

  /** Takes an entry away for as long as `work` runs. */
  async function without(id: string, spiffeId: string, selector: string, work: () => Promise<void>): Promise<void> {
    await world.spire.deleteEntry(id);
    try {
      await work();
    } finally {
      await world.spire.createEntry({ id, spiffeId, selectors: [selector] });
      await soon('ok');
    }
  }

  test('mint: a component has the JWT-SVID of its entry', async () => {
    const audience = world.newAudience();
    const token = await world.token('api-gateway', audience);
    expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'RS256', typ: 'JWT' });
    expect(decodeJwt(token)).toMatchObject({ sub: API_ID, aud: [audience], iss: world.issuer.url });
    expect(decodeJwt(await world.token('ledger', audience)).sub).toBe('spiffe://example.org/spiffe-in-practice/ledger');
    expect(await outcome(world.token('nobody', audience))).toBe('policy_denied');
  });

  test('publish and verify: whoever knows the issuer verifies it, with the keys that the SPIRE server has', async () => {
    const audience = world.newAudience();
    const token = await world.token('api-gateway', audience);
    const client = await createOutsideClient(world.issuer.url);
    const signer = await client.verify(token, audience);
    await expect(client.verify(token, 'another')).rejects.toMatchObject({ claim: 'aud' });
    await expect(client.verify(`${token.slice(0, -8)}AAAAAAAA`, audience)).rejects.toThrow('signature');

    const bundle: { keys: { use: string; kid?: string }[] } = JSON.parse(
      await world.spire.server.ctl('bundle show', '-format', 'spiffe'),
    );
    const keyIds = bundle.keys.filter(({ use }) => use === 'jwt-svid').map(({ kid }) => kid);
    expect(await publishedKeys(world.issuer.keysUrl)).toEqual(keyIds.toSorted());
    expect(keyIds).toContain(signer);
    const discovery = await (await fetch(world.issuer.discoveryUrl)).json();
    expect(discovery).toMatchObject({ issuer: world.issuer.url, id_token_signing_alg_values_supported: ['RS256'] });
  });

  test('an entry that names the bytes: they have its identity, and others have none', async () => {
    const id = 'pinned-bytes';
    const spiffeId = 'spiffe://example.org/pinned';
    const digestSelector = (digit: string) => `wasm:digest:sha256:${digit.repeat(64)}`;
    const selectors = ['wasmcloud:component:pinned', digestSelector('a')];
    await world.spire.createEntry({ id, spiffeId, selectors });
    try {
      await soon('ok', subject(spiffeId, ...selectors));
      const ask = source();
      const changed = subject(spiffeId, 'wasmcloud:component:pinned', digestSelector('b'));
      expect(await ask(changed)).toBe('identity_not_found');
      expect(await ask(subject(spiffeId, 'wasmcloud:component:pinned'))).toBe('identity_not_found');
    } finally {
      await world.spire.deleteEntry(id);
    }
  });

  test('an entry that is removed: the token in hand serves on, a new one is not to be had, until it is back', async () => {
    const held = world.newAudience();
    const token = await world.token('api-gateway', held);
    await without('api-gateway', API_ID, 'wasmcloud:component:api-gateway', async () => {
      await soon('identity_not_found');
      expect(await world.token('api-gateway', held)).toBe(token);
      expect(await outcome(world.token('api-gateway', world.newAudience()))).toBe('identity_not_found');
      expect(await outcome(world.token('ledger', world.newAudience()))).toBe('ok');
    });
    expect(await outcome(world.token('api-gateway', world.newAudience()))).toBe('ok');
  });

  test("the service's own entry is removed, or is not a delegate's: the error says that it is the service", async () => {
    const other = { id: 'other', spiffeId: 'spiffe://example.org/other', selectors: [OUR_SELECTOR] };
    await without('svid-exchange', 'spiffe://example.org/svid-exchange', OUR_SELECTOR, async () => {
      await soon('identity_delegate_unauthorized');
      expect(await outcome(world.token('ledger', world.newAudience()))).toBe('identity_delegate_unauthorized');

      await world.spire.createEntry(other);
      onTestFinished(() => world.spire.deleteEntry('other'));
      // Both mean the same to us; the agent's own words show which of the two it is.
      const svids = connectSvidSource(world.spire.adminSocket);
      const detail = () =>
        svids.fetchJwtSvid(API, ['a'], unaborted()).then(
          () => '',
          (error: unknown) => (error instanceof Error && 'detail' in error ? String(error.detail) : ''),
        );
      await until('its other name', detail, (seen) => seen.includes('caller not configured'), SOON);
      await soon('identity_delegate_unauthorized');
    });
    // Two names now, one of them a delegate's: that is enough.
    expect(await outcome(world.token('ledger', world.newAudience()))).toBe('ok');
  });

  test('an entry for a longer list of selectors, or with another ID than the policy, is not good enough', async () => {
    const selectors = ['wasmcloud:component:odd', 'wasmcloud:lattice:default'];
    await world.spire.createEntry({ id: 'odd', spiffeId: 'spiffe://example.org/even', selectors });
    onTestFinished(() => world.spire.deleteEntry('odd'));
    await soon('ok', subject('spiffe://example.org/even', ...selectors));
    const ask = source();
    expect(await ask(subject('spiffe://example.org/even', 'wasmcloud:component:odd'))).toBe('identity_not_found');
    expect(await ask(subject('spiffe://example.org/odd', ...selectors))).toBe('identity_mismatch');
  });

  test('the socket of the Workload API is not the one', async () => {
    expect(await source(world.spire.workloadSocket)()).toBe('identity_request_rejected');
  });
});
