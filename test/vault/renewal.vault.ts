import { beforeAll, describe, expect, inject, test } from 'vitest';
import { refusal } from '../support/errors.ts';
import { enableAuthMethod } from './support/auth-method.ts';
import { type RealVault, startRealVault } from './support/real-vault.ts';

describe.skipIf(inject('vault') === undefined)('renewal at a real Vault or OpenBao', () => {
  let vault: RealVault;
  beforeAll(async () => {
    vault = await startRealVault();
    return vault.close;
  });

  test('prolongs the token that there is, and gives a new one when its maximum is near', async () => {
    const { exchange } = await enableAuthMethod(vault, { role: { token_ttl: '4s', token_max_ttl: '6s' } });
    const first = await exchange();
    let last = first;
    let renewals = 0;
    // A round takes milliseconds; the maximum of six seconds ends this.
    for (;;) {
      const next = await exchange({ previous: last });
      if (next.token.reveal() !== first.token.reveal()) break;
      // Near its maximum Vault rounds what is left down to seconds.
      expect(next.expiresAt).toBeGreaterThan(last.expiresAt - 1_000);
      last = next;
      renewals += 1;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(renewals).toBeGreaterThan(5);
    const life = last.expiresAt - Date.now();
    expect(life).toBeLessThan(2_500);
    const { status } = await vault.ask('GET', 'auth/token/lookup-self', { token: last.token.reveal() });
    expect(status).toBe(200);
  });

  test.each<[string, object]>([
    ['may not renew itself', { token_no_default_policy: true }],
    ['is one of a batch', { token_type: 'batch' }],
  ])('of a token that %s is a new login', async (_, role) => {
    const { exchange } = await enableAuthMethod(vault, { role });
    const previous = await exchange();
    expect((await exchange({ previous })).token.reveal()).not.toBe(previous.token.reveal());
  });

  test('of a token that was revoked is a new login', async () => {
    const { exchange } = await enableAuthMethod(vault);
    const previous = await exchange();
    await vault.ask('POST', 'auth/token/revoke-self', { token: previous.token.reveal() });
    const next = await exchange({ previous });
    expect(next.token.reveal()).not.toBe(previous.token.reveal());
    expect((await exchange({ previous: next })).token.reveal()).toBe(next.token.reveal());
  });

  test('of a token whose role is gone ends with what the login says', async () => {
    const { exchange, mount } = await enableAuthMethod(vault);
    const previous = await exchange();
    await vault.ask('DELETE', `auth/${mount}/role/api`);
    expect(await refusal(exchange({ previous }))).toMatchObject({
      code: 'exchange_request_rejected',
      detail: 'HTTP 400, role "api" could not be found',
    });
  });

  test('within a namespace, where the server has them', async ({ skip }) => {
    const { status } = await vault.ask('POST', 'sys/namespaces/payments', { body: {} });
    if (status === 404) skip('this server has no namespaces');
    const { exchange, grant } = await enableAuthMethod(vault, { namespace: 'payments' });
    const previous = await exchange();
    const renewed = await exchange({ previous });
    expect(renewed).toMatchObject({ namespace: 'payments' });
    expect(renewed.token.reveal()).toBe(previous.token.reveal());
    const outside = await refusal(exchange({ grant: { ...grant, namespace: undefined } }));
    expect(outside).toMatchObject({ code: 'exchange_denied', detail: expect.stringContaining('HTTP 403') });
  });

  test('is not to be had while it is sealed', async () => {
    const { exchange } = await enableAuthMethod(vault);
    const previous = await exchange();
    await vault.ask('POST', 'sys/seal');
    expect(await refusal(exchange({ previous }))).toMatchObject({
      code: 'exchange_unavailable',
      detail: expect.stringMatching(/^HTTP 503, .* is sealed$/),
    });
  });
});
