import { describe, expect, test } from 'vitest';
import { EXPIRY_SECONDS, FAKE_ACCESS_TOKEN, FAKE_CREDENTIALS, fakeToken } from '../fakes/broker.ts';
import { refusal, refusalCode } from '../support/errors.ts';
import {
  API_CLIENT,
  API_POLICY,
  LEDGER_CLIENT,
  LEDGER_POLICY,
  OTHER_CLIENT,
  PROVIDER_AUDIENCE,
  STORAGE,
  startSessionWorld,
  TTL_MS,
} from '../support/sdk-endpoints.ts';

const GRAPH = 'https://graph.example.org';

describe('AWS', () => {
  test('asks the broker for the grant, as the component of the session and nobody else', async () => {
    const { sessionBroker, open, broker } = startSessionWorld();
    const { session } = await open();
    expect(await sessionBroker.aws(session, 'models')).toBe(FAKE_CREDENTIALS);
    expect(broker.asked).toEqual([{ caller: { component: 'api', session: session.id }, grant: 'models' }]);
  });

  test.each([
    'books',
    'Models',
    'models ',
    'blobs',
    'files',
    '',
    'constructor',
    '__proto__',
    'ledger/books',
    '../ledger',
  ])('does not ask it for %j, and says so in the audit', async (grant) => {
    const { sessionBroker, open, broker, log } = startSessionWorld();
    const { session } = await open();
    expect(await refusalCode(sessionBroker.aws(session, grant))).toBe('policy_denied');
    expect(broker.asked).toEqual([]);
    expect(log.audits().at(-1)).toMatchObject({
      action: 'credentials.request',
      component: 'api',
      session: session.id,
      outcome: 'denied',
      code: 'policy_denied',
    });
  });

  test('gives nothing of another kind, whatever an exchange says', async () => {
    const { sessionBroker, open, broker } = startSessionWorld();
    const { session } = await open();
    broker.give = FAKE_ACCESS_TOKEN;
    expect(await refusalCode(sessionBroker.aws(session, 'models'))).toBe('internal_error');
  });
});

describe('Azure', () => {
  test.each([
    ['the resource alone, where one grant has it', { resource: STORAGE, clientId: undefined }, 'blobs'],
    ['resource and client', { resource: STORAGE, clientId: API_CLIENT }, 'blobs'],
    ['a client in capitals, as GUIDs may be', { resource: STORAGE, clientId: API_CLIENT.toUpperCase() }, 'blobs'],
    ['the one of two clients', { resource: GRAPH, clientId: API_CLIENT }, 'graph-one'],
    ['the other one', { resource: GRAPH, clientId: OTHER_CLIENT }, 'graph-two'],
  ])('finds the grant by %s', async (_, wanted, grant) => {
    const { sessionBroker, open, broker } = startSessionWorld();
    const { session } = await open();
    broker.give = FAKE_ACCESS_TOKEN;
    expect(await sessionBroker.azure(session, wanted)).toMatchObject({ credentials: FAKE_ACCESS_TOKEN });
    expect(broker.asked).toEqual([{ caller: { component: 'api', session: session.id }, grant }]);
  });

  test.each([
    ['a resource of another component', { resource: 'https://vault.azure.net', clientId: undefined }],
    ['it with its client', { resource: 'https://vault.azure.net', clientId: LEDGER_CLIENT }],
    ["another component's client", { resource: STORAGE, clientId: LEDGER_CLIENT }],
    ['a client of another resource', { resource: STORAGE, clientId: OTHER_CLIENT }],
    ['an empty client', { resource: STORAGE, clientId: '' }],
    ['a slash more, which Entra tells apart', { resource: `${STORAGE}/`, clientId: undefined }],
    ['the scope in place of the resource', { resource: `${STORAGE}/.default`, clientId: undefined }],
    ['another case', { resource: STORAGE.toUpperCase(), clientId: undefined }],
    ['two that fit', { resource: GRAPH, clientId: undefined }],
    ['nothing', { resource: '', clientId: undefined }],
  ])('refuses %s without asking anybody', async (_, wanted) => {
    const { sessionBroker, open, broker } = startSessionWorld();
    const { session } = await open();
    expect(await refusalCode(sessionBroker.azure(session, wanted))).toBe('policy_denied');
    expect(broker.asked).toEqual([]);
  });

  test('a session for one grant tells two that would fit apart', async () => {
    const { sessionBroker, open, broker } = startSessionWorld();
    const { session } = await open({ grant: 'graph-two' });
    broker.give = FAKE_ACCESS_TOKEN;
    const { grant } = await sessionBroker.azure(session, { resource: GRAPH, clientId: undefined });
    expect(grant.clientId).toBe(OTHER_CLIENT);
  });
});

describe('Google Cloud', () => {
  test("gives the component's JWT-SVID for the provider", async () => {
    const { sessionBroker, open, broker } = startSessionWorld();
    const { session } = await open();
    const svid = await sessionBroker.subjectToken(session, 'files');
    expect(svid.token.reveal()).toBe(fakeToken('api', [PROVIDER_AUDIENCE]));
    expect(broker.asked).toEqual([
      { caller: { component: 'api', session: session.id }, audience: [PROVIDER_AUDIENCE] },
    ]);
  });

  test('does not hand out a token that the component may not hold, whatever its grant', async () => {
    const { sessionBroker, open, broker } = startSessionWorld();
    const { session } = await open();
    const error = await refusal(sessionBroker.subjectToken(session, 'held'));
    expect(error).toMatchObject({
      code: 'policy_denied',
      message: 'component "api": the audience "not-among-the-audiences" is not granted to it',
    });
    expect(broker.asked).toEqual([]);
  });

  test('does not either when that is taken back while the answer is on its way', async () => {
    const { sessionBroker, open, broker, setPolicies } = startSessionWorld();
    const { session } = await open();
    let answer = (): void => {};
    broker.gate = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const asked = sessionBroker.subjectToken(session, 'files');
    await broker.waitForAsked(1);
    setPolicies(API_POLICY.replace(/^audiences: .*$/m, 'audiences: [another]'));
    answer();
    expect(await refusalCode(asked)).toBe('policy_denied');
  });

  test.each(['ledger-files', 'models', 'blobs', 'nothing'])('does not for %s', async (grant) => {
    const { sessionBroker, open, broker } = startSessionWorld();
    const { session } = await open();
    expect(await refusalCode(sessionBroker.subjectToken(session, grant))).toBe('policy_denied');
    expect(broker.asked).toEqual([]);
  });
});

describe('a session for one grant', () => {
  test('has that one and no other, of any kind', async () => {
    const { sessionBroker, open, broker, policies, setPolicies } = startSessionWorld();
    expect(policies().components).toHaveLength(2);
    const more = `${API_POLICY}  others: { aws: { roleArn: 'arn:aws:iam::111122223333:role/o', region: us-east-1 } }\n`;
    setPolicies(more, LEDGER_POLICY);
    const { session } = await open({ grant: 'models' });
    await sessionBroker.aws(session, 'models');
    expect(broker.asked).toHaveLength(1);
    for (const attempt of [
      sessionBroker.aws(session, 'others'),
      sessionBroker.azure(session, { resource: STORAGE, clientId: undefined }),
      sessionBroker.subjectToken(session, 'files'),
    ]) {
      expect(await refusalCode(attempt)).toBe('policy_denied');
    }
    expect(broker.asked).toHaveLength(1);
  });
});

describe('while the answer is on its way', () => {
  async function asking() {
    const world = startSessionWorld();
    const { session, secret } = await world.open();
    let answer = (): void => {};
    world.broker.gate = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const asked = world.sessionBroker.aws(session, 'models');
    await world.broker.waitForAsked(1);
    return { ...world, session, secret, asked, answer };
  }

  test('a session that is revoked gets nothing', async () => {
    const { sessions, session, asked, answer } = await asking();
    await sessions.revoke(session.id);
    answer();
    expect(await refusalCode(asked)).toBe('session_invalid');
  });

  test('a session that expires gets nothing', async () => {
    const { clock, asked, answer } = await asking();
    await clock.advance(TTL_MS);
    answer();
    expect(await refusalCode(asked)).toBe('session_invalid');
  });

  test('what the policy takes back is not given', async () => {
    const { setPolicies, asked, answer } = await asking();
    setPolicies(API_POLICY.replace(/^ {2}models:.*\n/m, ''), LEDGER_POLICY);
    answer();
    expect(await refusalCode(asked)).toBe('policy_denied');
  });

  test('credentials of another grant that has the name now are not given', async () => {
    const { setPolicies, asked, answer } = await asking();
    setPolicies(API_POLICY.replace('role/models', 'role/other'), LEDGER_POLICY);
    answer();
    expect(await refusalCode(asked)).toBe('policy_denied');
  });

  test('a policy that changes elsewhere costs nothing', async () => {
    const { setPolicies, asked, answer } = await asking();
    setPolicies(API_POLICY);
    answer();
    expect(await asked).toBe(FAKE_CREDENTIALS);
  });
});

describe('a session lives on', () => {
  test('for its time after the end of the credentials it got', async () => {
    const { sessionBroker, open } = startSessionWorld();
    const { session } = await open();
    await sessionBroker.aws(session, 'models');
    expect(session.expiresAt).toBe(EXPIRY_SECONDS * 1000 + TTL_MS);
  });

  test('for its time after the end of what Google gives for the token, and not of the token', async () => {
    const { sessionBroker, open, clock } = startSessionWorld();
    const { session } = await open();
    await sessionBroker.subjectToken(session, 'files');
    expect(session.expiresAt).toBe(clock.now() + 3_600_000 + TTL_MS);
  });

  test('not for what it did not get', async () => {
    const { sessionBroker, open, clock } = startSessionWorld();
    const { session } = await open();
    await refusal(sessionBroker.aws(session, 'books'));
    expect(session.expiresAt).toBe(clock.now() + TTL_MS);
  });
});
