import { describe, expect, test } from 'vitest';
import { SvidxError } from '../../src/base/errors.ts';
import type { VaultRole } from '../fakes/vault-login.ts';
import { unaborted } from '../support/delegated-identity.ts';
import { refusal } from '../support/errors.ts';
import { expectNoSecrets } from '../support/secrets.ts';
import { startVaultWorld } from '../support/vault.ts';
import { startVaultBroker } from '../support/vault-broker.ts';

const MINUTE = 60;
const WITHDRAWN = new SvidxError('identity_not_found', 'no registration entry');

describe('a token that is used every minute', () => {
  /** Fresh until 5 minutes before its end, or for half of its lease (README, caches). */
  test.each<[string, Partial<VaultRole>, readonly string[]]>([
    [
      'is renewed until its maximum is near, and then replaced',
      {},
      // The lease of minute 45 is the 15 minutes that are left; the one of minute 55 would be 5, less than half of 20.
      ['0 login', '15 renew', '30 renew', '45 renew', '55 renew', '55 login', '70 renew', '85 renew'],
    ],
    ['of a lease as long as its maximum is replaced', { token_ttl: 60 * MINUTE }, ['0 login', '54 renew', '54 login']],
    [
      'that is periodic is renewed for ever',
      { token_ttl: 0, token_max_ttl: 0, token_period: 20 * MINUTE },
      ['0 login', '15 renew', '30 renew', '45 renew', '60 renew', '75 renew', '90 renew'],
    ],
    [
      'of a batch is replaced',
      { token_type: 'batch' },
      ['0 login', '15 login', '30 login', '45 login', '60 login', '75 login', '90 login'],
    ],
    [
      'that may not renew itself is replaced',
      { token_no_default_policy: true, token_ttl: 40 * MINUTE },
      ['0 login', '35 renew', '35 login', '70 renew', '70 login'],
    ],
  ])('%s', async (_, role, expected) => {
    const { minutes } = await startVaultBroker({ role });
    expect(await minutes(90)).toEqual(expected);
  });

  test('is always one that Vault still honours, and stays the same over renewals', async () => {
    const { ask, clock, vault } = await startVaultBroker();
    const tokens = new Set<string>();
    for (let minute = 0; minute < 120; minute += 1) {
      const { token, expiresAt } = await ask();
      tokens.add(token.reveal());
      expect(vault.tokens.get(token.reveal())?.expiresAt).toBeGreaterThan(clock.now());
      expect(vault.tokens.get(token.reveal())?.expiresAt).toBeGreaterThanOrEqual(expiresAt);
      await clock.advance(60_000);
    }
    expect(tokens.size).toBe(3);
  });

  test('is in no log line, and neither is any JWT-SVID', async () => {
    const { minutes, log, vault } = await startVaultBroker();
    await minutes(60);
    const jwts = vault.requests.all.flatMap(({ body }) => JSON.parse(body).jwt ?? []);
    expect(jwts).toHaveLength(2);
    expectNoSecrets(log.lines, [...vault.tokens.keys(), ...jwts]);
    expectNoSecrets(
      vault.requests.all.map(({ path }) => path),
      [...vault.tokens.keys(), ...jwts],
    );
  });
});

describe('a component that has lost its identity', () => {
  test('renews nothing, and has nothing when the lease is over', async () => {
    const world = await startVaultBroker();
    await world.ask();
    world.identityFailure = WITHDRAWN;
    const renewing = world.minutes(19);
    expect(await renewing).toEqual([]);
    await world.clock.advance(60_000);
    expect((await refusal(world.ask())).code).toBe('identity_not_found');
    expect(world.vault.calls()).toEqual(['login']);
  });

  test('gets it renewed once it has it back, within the lease', async () => {
    const world = await startVaultBroker();
    await world.minutes(14);
    world.identityFailure = WITHDRAWN;
    expect(await world.minutes(3)).toEqual([]);
    world.identityFailure = undefined;
    expect((await world.minutes(2)).map((call) => call.replace(/^\d+ /, ''))).toEqual(['renew']);
  });
});

describe('a renewal that fails', () => {
  test.each<[string, (world: Awaited<ReturnType<typeof startVaultBroker>>, token: string) => void]>([
    ['as the token was revoked', ({ vault }, token) => vault.revoke(token)],
    [
      'as the answer is garbage',
      ({ vault }) => {
        vault.instead = () => {
          vault.instead = undefined;
          return { status: 200, body: 'garbage' };
        };
      },
    ],
    [
      'as Vault fails',
      ({ vault }) => {
        vault.instead = () => {
          vault.instead = undefined;
          return { status: 500, body: '{"errors":["internal error"]}' };
        };
      },
    ],
  ])('%s is tried once, and a login follows', async (_, spoil) => {
    const world = await startVaultBroker();
    const { token } = await world.ask();
    spoil(world, token.reveal());
    await world.clock.advance(15 * 60_000);
    await world.ask();
    expect(world.vault.calls()).toEqual(['login', 'renew', 'login']);
    expect((await world.ask()).token.reveal()).not.toBe(token.reveal());
  });

  test('as the role is gone is told by the login; what is in hand serves to its end', async () => {
    const world = await startVaultBroker();
    const { token } = await world.ask();
    const [mount] = Object.values(world.vault.mounts);
    if (mount !== undefined) delete mount.roles['api'];
    await world.clock.advance(15 * 60_000);
    expect((await world.ask()).token.reveal()).toBe(token.reveal());
    expect(world.vault.calls()).toEqual(['login', 'renew', 'login']);
    expect(world.log.lines.join('\n')).toContain('could not be found');
    await world.clock.advance(5 * 60_000);
    expect(await refusal(world.ask())).toMatchObject({ code: 'exchange_request_rejected' });
  });

  test.each([
    ['whoever asked', new Error('given up')],
    ['the broker', new SvidxError('exchange_unavailable', 'no answer within 30 seconds')],
  ])('as %s has given up is the end of it: no login follows', async (_, reason) => {
    const { vault, exchanger, mint, grant } = await startVaultWorld();
    const ours = exchanger();
    const previous = await ours.exchange(await mint(), grant, { signal: unaborted() });
    const abort = new AbortController();
    vault.instead = () => {
      abort.abort(reason);
      return { status: 500, body: '' };
    };
    await expect(ours.exchange(await mint(), grant, { signal: abort.signal, previous })).rejects.toBe(reason);
    expect(vault.calls()).toEqual(['login', 'renew']);
  });
});

describe('the request of a renewal', () => {
  test('has the token in its header, no JWT-SVID, and goes to the namespace of the token', async () => {
    const { vault, exchange } = await startVaultWorld();
    const { jwt } = vault.mounts;
    if (jwt !== undefined) vault.mounts['org:jwt'] = jwt;
    const grant = { namespace: 'org' };
    const previous = await exchange({ grant });
    const renewed = await exchange({ grant, previous });
    expect(renewed.token.reveal()).toBe(previous.token.reveal());
    const request = vault.requests.all.at(-1);
    expect(request).toMatchObject({ method: 'POST', path: '/v1/auth/token/renew-self', body: '{}' });
    expect(request?.headers).toMatchObject({
      'x-vault-token': previous.token.reveal(),
      'x-vault-namespace': 'org',
      'x-vault-request': 'true',
    });
    expect(request?.headers['authorization']).toBeUndefined();
  });
});
