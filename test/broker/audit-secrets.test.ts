import { describe, expect, test } from 'vitest';
import { SvidxError } from '../../src/base/errors.ts';
import { API, API_POLICY, openBroker } from '../support/broker.ts';
import { refusal } from '../support/errors.ts';
import { expectNoSecrets } from '../support/secrets.ts';

const A = ['a.example.org'] as const;

/** A token that somebody might give by mistake where a name belongs. */
const TOKEN = [
  { alg: 'ES256', kid: 'a', typ: 'JWT' },
  { sub: 'spiffe://example.org/somebody', aud: ['x'], exp: 4_000_000_000 },
]
  .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  .concat('c2lnbmF0dXJlLXNpZ25hdHVyZS1zaWduYXR1cmU')
  .join('.');

describe('what the log never holds', () => {
  test('a token, a part of one, or a credential, whatever happens', async () => {
    const { broker, log, upstreams, clock } = await openBroker();
    await broker.identity(API, A);
    await broker.credentials(API, 'models');
    await clock.advance(600_000);
    await broker.credentials(API, 'models');
    upstreams.exchange = new SvidxError('exchange_denied', `no to ${upstreams.secrets[0]}`, {
      detail: `they said ${upstreams.secrets[0]}`,
    });
    await clock.advance(300_000);
    await refusal(broker.credentials(API, 'models'));
    expect(upstreams.secrets.length).toBeGreaterThan(3);
    expect(log.lines.length).toBeGreaterThan(6);
    expectNoSecrets(log.lines, upstreams.secrets);
  });

  test.each<[string, (broker: Awaited<ReturnType<typeof openBroker>>['broker']) => Promise<unknown>]>([
    ['an audience', (broker) => broker.identity(API, [TOKEN])],
    ['one audience of several', (broker) => broker.identity(API, ['a.example.org', `x ${TOKEN}`, TOKEN])],
    ['the name of a grant', (broker) => broker.credentials(API, TOKEN)],
    ['the name of a component', (broker) => broker.credentials({ component: TOKEN }, 'models')],
    ['the name of a component that wants an identity', (broker) => broker.identity({ component: TOKEN }, A)],
    ['a digest', (broker) => broker.identity({ component: TOKEN, digest: TOKEN }, [TOKEN])],
  ])('a token given by mistake as %s; nor does the error', async (what, ask) => {
    const { broker, log } = await openBroker();
    const error = await refusal(ask(broker));
    expect(error.code).toBe(what === 'a digest' ? 'request_invalid' : 'policy_denied');
    expect(log.audits()).toHaveLength(1);
    expect(log.lines.join('\n')).toContain('[redacted]');
    expectNoSecrets([...log.lines, error.message, String(error.detail)], [TOKEN]);
  });

  test('names without end, or with control characters', async () => {
    const { broker, log } = await openBroker();
    const name = `\u0000\r\n\u001b[2J${'x'.repeat(100_000)}`;
    const error = await refusal(broker.credentials({ component: name }, name));
    expect(error.message.length).toBeLessThan(350);
    const [line = ''] = log.lines;
    expect(line.length).toBeLessThan(2_000);
    for (const text of [error.message, log.audits()[0]?.['component'], log.audits()[0]?.['grant']]) {
      expect(text).not.toMatch(/\p{Cc}/u);
    }
  });

  test('a policy may name what it likes: what it grants is shown as it is', async () => {
    const { broker, log } = await openBroker({ policies: [API_POLICY.replace('a.example.org', 'ü "x"')] });
    await broker.identity(API, ['ü "x"']);
    expect(log.audits()[1]).toMatchObject({ audience: ['ü "x"'] });
  });
});
