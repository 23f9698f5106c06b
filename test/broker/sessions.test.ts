import { describe, expect, test } from 'vitest';
import { refusal, refusalCode } from '../support/errors.ts';
import { findLeaks } from '../support/find-leaks.ts';
import { API_POLICY, LEDGER_POLICY, startSessionWorld, TTL_MS } from '../support/sdk-endpoints.ts';

describe('a session', () => {
  test('is known by its secret, and by nothing near it', async () => {
    const { sessions, open } = startSessionWorld();
    const { session, secret } = await open();
    const { secret: another } = await open({ component: 'ledger' });
    expect(secret).toMatch(/^[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}$/);
    expect(sessions.authenticate(secret)).toBe(session);

    const [id = '', proof = ''] = secret.split('.');
    const [otherId = '', otherProof = ''] = another.split('.');
    const flipped = `${proof.slice(0, -1)}${proof.endsWith('A') ? 'E' : 'A'}`;
    for (const wrong of [
      '',
      id,
      proof,
      `${id}.`,
      `.${proof}`,
      `${id}.${otherProof}`,
      `${otherId}.${proof}`,
      `${id}.${flipped}`,
      `${id}.${proof.toLowerCase()}`,
      `${secret} `,
      `${secret}\n`,
      ` ${secret}`,
      `${secret}=`,
      `${secret}.${proof}`,
      `Bearer ${secret}`,
      secret.replaceAll('-', '+').replaceAll('_', '/').concat('='),
      Buffer.from(secret).toString('base64'),
      `${'A'.repeat(22)}.${'A'.repeat(43)}`,
    ]) {
      expect(await refusalCode(() => sessions.authenticate(wrong)), wrong).toBe('session_invalid');
    }
  });

  test('says the same of a wrong secret, an unknown session and an ended one', async () => {
    const { sessions, open } = startSessionWorld();
    const { session, secret } = await open();
    const wrong = await refusal(() => sessions.authenticate(`${session.id}.${'A'.repeat(43)}`));
    await sessions.revoke(session.id);
    const ended = await refusal(() => sessions.authenticate(secret));
    expect(ended.message).toBe(wrong.message);
  });

  test('ends when it is not used for its time, and not before', async () => {
    const { sessions, open, clock, log } = startSessionWorld();
    const { session, secret } = await open();
    await clock.advance(TTL_MS - 1);
    expect(sessions.authenticate(secret)).toBe(session);
    await clock.advance(TTL_MS - 1);
    expect(sessions.authenticate(secret).expiresAt).toBe(clock.now() + TTL_MS);
    await clock.advance(TTL_MS);
    expect(await refusalCode(() => sessions.authenticate(secret))).toBe('session_invalid');
    expect(await refusalCode(() => sessions.renew(session.id))).toBe('session_invalid');
    expect(sessions.size).toBe(0);
    expect(clock.timers).toBe(0);
    expect(log.audits()).toMatchObject([
      { action: 'session.open', component: 'api', session: session.id, spiffeId: 'spiffe://example.org/api' },
      { action: 'session.expire', component: 'api', session: session.id, outcome: 'ok' },
      { action: 'session.refuse', outcome: 'failed' },
    ]);
  });

  test('is over at its very end, whenever the timer comes', async () => {
    const { sessions, open, clock } = startSessionWorld();
    let secret = '';
    let then: unknown = 'not asked';
    // Falls due at the same moment as the session's own timer, and comes first.
    clock.after(60_000, () => {
      then = 'asked';
      try {
        sessions.authenticate(secret);
      } catch (error) {
        then = error;
      }
    });
    ({ secret } = await open({ ttlMs: 60_000 }));
    await clock.advance(60_000);
    expect(then).toMatchObject({ code: 'session_invalid' });
  });

  test('lives on for its time after the end of what it got, and renewing does not shorten that', async () => {
    const { sessions, open, clock } = startSessionWorld();
    const { session } = await open();
    const until = clock.now() + 3_600_000;
    sessions.extend(session, until);
    expect(session.expiresAt).toBe(until + TTL_MS);
    expect(sessions.renew(session.id).expiresAt).toBe(until + TTL_MS);
    sessions.extend(session, clock.now());
    expect(session.expiresAt).toBe(until + TTL_MS);
    await clock.advance(3_600_000 + TTL_MS);
    expect(sessions.size).toBe(0);
  });

  test('is gone at once when it is revoked, which is audited', async () => {
    const { sessions, open, clock, log } = startSessionWorld();
    const { session, secret } = await open({ grant: 'models' });
    await sessions.revoke(session.id);
    expect(await refusalCode(() => sessions.authenticate(secret))).toBe('session_invalid');
    expect(await refusalCode(() => sessions.confirm(session))).toBe('session_invalid');
    expect(await refusalCode(sessions.revoke(session.id))).toBe('session_invalid');
    sessions.extend(session, clock.now() + 1e9);
    expect(await refusalCode(() => sessions.authenticate(secret))).toBe('session_invalid');
    // It is the session's that is gone; the other one tells how often it was asked for in vain.
    expect(clock.timers).toBe(1);
    expect(log.audits()[1]).toMatchObject({
      action: 'session.revoke',
      component: 'api',
      grant: 'models',
      session: session.id,
    });
  });
});

describe('opening one', () => {
  test.each([
    ['a component that no policy names', { component: 'nobody' }],
    ['a name in another case', { component: 'API' }],
    ['a grant that the component has not', { grant: 'books' }],
    ['the name of something every object has', { grant: 'constructor' }],
  ])('is refused for %s', async (_, request) => {
    const { sessions, open, log } = startSessionWorld();
    expect(await refusalCode(open(request))).toBe('policy_denied');
    expect(sessions.size).toBe(0);
    expect(log.audits()).toMatchObject([{ action: 'session.open', outcome: 'denied', code: 'policy_denied' }]);
  });

  test('is refused with other bytes than the policy pins', async () => {
    const { sessions, setPolicies } = startSessionWorld();
    const [good, bad] = ['a', 'b'].map((digit) => `sha256:${digit.repeat(64)}`);
    setPolicies(`digest: ${good}\n${API_POLICY.trim()}`);
    const openWith = (digest: string | undefined) =>
      sessions.open({ caller: { component: 'api', digest }, ttlMs: TTL_MS });
    expect(await refusalCode(openWith(bad))).toBe('policy_denied');
    expect((await openWith(good)).session.caller).toEqual({ component: 'api', digest: good });
  });

  test('is refused beyond the number that may be open; those there are stay, and room comes back', async () => {
    const { sessions, open } = startSessionWorld({ maxSessions: 2 });
    const [first, second] = [await open(), await open()];
    expect(await refusalCode(open())).toBe('rate_limited');
    expect(sessions.authenticate(first.secret)).toBe(first.session);
    expect(sessions.authenticate(second.secret)).toBe(second.session);
    await sessions.revoke(first.session.id);
    await open();
    expect(sessions.size).toBe(2);
  });

  test('writes neither the secret nor its hash anywhere, and scrubs what it was asked for', async () => {
    const { sessions, open, log } = startSessionWorld();
    const { session, secret } = await open();
    const token = `eyJ${'a'.repeat(40)}.${'b'.repeat(40)}.${'c'.repeat(40)}`;
    const error = await refusal(open({ component: token, grant: token }));
    await refusal(() => sessions.authenticate(`${session.id}.${'A'.repeat(43)}`));
    await sessions.revoke(session.id);
    const [, proof = ''] = secret.split('.');
    const written = `${log.lines.join('\n')}${error.message}`;
    expect(written).toContain(session.id);
    expect(findLeaks(written, [proof, token])).toEqual([]);
  });
});

test('closing forgets every session and leaves no timer', async () => {
  const { sessions, open, clock } = startSessionWorld();
  const { secret } = await open();
  await open({ component: 'ledger' });
  sessions.close();
  expect(clock.timers).toBe(0);
  expect(await refusalCode(() => sessions.authenticate(secret))).toBe('session_invalid');
});

test('a policy that goes takes new sessions with it', async () => {
  const { open, setPolicies } = startSessionWorld();
  setPolicies(LEDGER_POLICY);
  expect(await refusalCode(open())).toBe('policy_denied');
});
