import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { SvidxError } from '../../src/base/errors.ts';
import { createAudit } from '../../src/broker/audit.ts';
import { createFakeClock, settle } from '../fakes/clock.ts';
import { createMemoryLog } from '../fakes/log.ts';
import { API, openBroker } from '../support/broker.ts';
import { refusal, refusalCode } from '../support/errors.ts';

const A = ['a.example.org'] as const;
const SUBJECT = 'spiffe://example.org/api';
const ROLE = 'arn:aws:iam::111122223333:role/models';

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

describe('each call, and each question upstream, leaves exactly one event', () => {
  test('an identity: the request and the mint, then only the request', async () => {
    const { broker, log } = await openBroker();
    const svid = await broker.identity(API, ['a.example.org', 'b.example.org']);
    const common = {
      component: 'api',
      spiffeId: SUBJECT,
      audience: ['a.example.org', 'b.example.org'],
      tokenSha256: sha256(svid.token.reveal()),
      outcome: 'ok',
      durationMs: 0,
    };
    const request = { action: 'identity.request', ...common };
    expect(log.audits()).toEqual([{ action: 'identity.mint', ...common }, request]);
    await broker.identity(API, ['a.example.org', 'b.example.org']);
    expect(log.audits().slice(2)).toEqual([request]);
  });

  test('credentials: the request, the exchange and the mint, then only the request', async () => {
    const { broker, log, upstreams } = await openBroker();
    await broker.credentials(API, 'models');
    const [exchange] = upstreams.exchanges.all;
    const tokenSha256 = sha256(exchange?.subjectToken.token.reveal() ?? '');
    const common = { component: 'api', spiffeId: SUBJECT, outcome: 'ok', durationMs: 0 };
    const request = { action: 'credentials.request', ...common, grant: 'models' };
    expect(log.audits()).toEqual([
      { action: 'identity.mint', ...common, audience: ['sts.amazonaws.com'], tokenSha256 },
      { action: 'credentials.exchange', ...common, grant: 'models', target: ROLE, tokenSha256 },
      request,
    ]);
    await broker.credentials(API, 'models');
    expect(log.audits().slice(3)).toEqual([request]);
  });

  test('an exchange with a JWT-SVID from memory names that one, and no mint', async () => {
    const { broker, log } = await openBroker();
    const svid = await broker.identity(API, ['sts.amazonaws.com']);
    await broker.credentials(API, 'models');
    expect(log.audits().map(({ action }) => action)).toEqual([
      'identity.mint',
      'identity.request',
      'credentials.exchange',
      'credentials.request',
    ]);
    expect(log.audits()[2]).toMatchObject({ tokenSha256: svid.sha256 });
  });

  test('1,000 callers at once: 1,000 requests, one mint, one exchange', async () => {
    const { broker, log } = await openBroker();
    await Promise.all(Array.from({ length: 1000 }, () => broker.credentials(API, 'models')));
    const actions = log.audits().map(({ action }) => action);
    const count = (wanted: string) => actions.filter((action) => action === wanted).length;
    expect(count('credentials.request')).toBe(1000);
    expect(count('credentials.exchange')).toBe(1);
    expect(count('identity.mint')).toBe(1);
    expect(actions).toHaveLength(1002);
  });

  test('a refresh in the background: what was asked upstream, and no request', async () => {
    const { broker, log, upstreams, clock } = await openBroker();
    await broker.credentials(API, 'models');
    await upstreams.issued.next();
    await clock.advance(600_000);
    await broker.credentials(API, 'models');
    await upstreams.issued.next();
    await settle();
    const events = log.audits().slice(3);
    expect(events.map(({ action }) => action).toSorted()).toEqual([
      'credentials.exchange',
      'credentials.request',
      'identity.mint',
    ]);
  });

  test('a denial: the request alone, with who asked as far as it is known', async () => {
    const { broker, log } = await openBroker();
    await refusal(broker.identity(API, ['other.example.org']));
    await refusal(broker.credentials(API, 'other'));
    await refusal(broker.credentials({ component: 'nobody' }, 'models'));
    const denied = { outcome: 'denied', code: 'policy_denied', durationMs: 0 };
    expect(log.audits()).toEqual([
      { action: 'identity.request', component: 'api', spiffeId: SUBJECT, audience: ['other.example.org'], ...denied },
      { action: 'credentials.request', component: 'api', spiffeId: SUBJECT, grant: 'other', ...denied },
      { action: 'credentials.request', component: 'nobody', grant: 'models', ...denied },
    ]);
  });

  test('a failure upstream: at each step, with its code', async () => {
    const { broker, log, upstreams } = await openBroker();
    upstreams.mint = new SvidxError('identity_not_found', 'no entry');
    await refusal(broker.credentials(API, 'models'));
    const failed = {
      component: 'api',
      spiffeId: SUBJECT,
      outcome: 'failed',
      code: 'identity_not_found',
      durationMs: 0,
    };
    expect(log.audits()).toEqual([
      { action: 'identity.mint', ...failed, audience: ['sts.amazonaws.com'] },
      { action: 'credentials.exchange', ...failed, grant: 'models', target: ROLE },
      { action: 'credentials.request', ...failed, grant: 'models' },
    ]);
    // From memory: nobody was asked.
    await refusal(broker.credentials(API, 'models'));
    expect(log.audits().slice(3)).toEqual([{ action: 'credentials.request', ...failed, grant: 'models' }]);
  });

  test('a refused exchange names the JWT-SVID that was sent', async () => {
    const { broker, log, upstreams } = await openBroker();
    upstreams.exchange = new SvidxError('exchange_denied', 'no');
    await refusal(broker.credentials(API, 'models'));
    const sent = upstreams.exchanges.all[0]?.subjectToken.sha256;
    expect(log.audits()[1]).toMatchObject({
      action: 'credentials.exchange',
      outcome: 'failed',
      code: 'exchange_denied',
      tokenSha256: sent,
    });
  });

  test('how long it took', async () => {
    const { broker, log, upstreams, clock } = await openBroker();
    upstreams.mint = 'hang';
    const waiting = refusalCode(broker.identity(API, A));
    await upstreams.mints.next();
    await clock.advance(30_000);
    expect(await waiting).toBe('identity_unavailable');
    await settle();
    const failed = { outcome: 'failed', code: 'identity_unavailable', durationMs: 30_000 };
    expect(log.audits().toSorted((a, b) => String(a['action']).localeCompare(String(b['action'])))).toMatchObject([
      { action: 'identity.mint', ...failed },
      { action: 'identity.request', ...failed },
    ]);
  });

  test('what went well at level info, the rest at warn with what is wrong', async () => {
    const { broker, log } = await openBroker();
    await broker.identity(API, A);
    await refusal(broker.credentials(API, 'other'));
    const shown = log.entries().map(({ level, msg, error }) => ({ level, msg, error }));
    expect(shown).toEqual([
      { level: 'info', msg: 'audit', error: undefined },
      { level: 'info', msg: 'audit', error: undefined },
      {
        level: 'warn',
        msg: 'audit',
        error: { code: 'policy_denied', message: 'component "api": it has no grant "other"' },
      },
    ]);
  });
});

describe('record', () => {
  function createTestAudit() {
    const log = createMemoryLog();
    return { log, audit: createAudit({ logger: log.logger, clock: createFakeClock() }) };
  }

  test('gives back what the action gave', async () => {
    const { audit, log } = createTestAudit();
    const value = { any: 'thing' };
    expect(await audit.record('identity.mint', { component: 'api' }, async () => value)).toBe(value);
    expect(log.lines).toHaveLength(1);
  });

  test('throws on what the action threw', async () => {
    const { audit } = createTestAudit();
    const error = new SvidxError('exchange_denied', 'no');
    const record = audit.record('credentials.exchange', { component: 'api' }, () => Promise.reject(error));
    expect(await refusal(record)).toBe(error);
  });

  test.each([
    ['an error', new TypeError('oops')],
    ['a text', 'oops'],
    ['nothing', undefined],
  ])(
    'a defect that throws %s becomes an internal error, which shows nothing of it to the caller',
    async (_, thrown) => {
      const { audit, log } = createTestAudit();
      const error = await refusal(audit.record('identity.mint', { component: 'api' }, () => Promise.reject(thrown)));
      expect(error).toMatchObject({ code: 'internal_error', message: 'something went wrong inside svid-exchange' });
      expect(error.cause).toBe(thrown);
      expect(log.audits()).toMatchObject([{ outcome: 'failed', code: 'internal_error' }]);
    },
  );

  test('shows the fields that the action filled in, also when it failed then', async () => {
    const { audit, log } = createTestAudit();
    const record = audit.record('identity.mint', { component: 'api' }, async (fields) => {
      fields.tokenSha256 = 'abc';
      throw new SvidxError('identity_mismatch', 'no');
    });
    expect(await refusalCode(record)).toBe('identity_mismatch');
    expect(log.audits()).toEqual([
      {
        action: 'identity.mint',
        component: 'api',
        tokenSha256: 'abc',
        outcome: 'failed',
        code: 'identity_mismatch',
        durationMs: 0,
      },
    ]);
  });
});
