import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { refusalXml } from '../fakes/scripted-sts.ts';
import { expectSilence } from '../support/canary-questions.ts';
import { type CanaryWorld, POLICY, startCanaryWorld } from '../support/canary-world.ts';
import { findLeaks } from '../support/find-leaks.ts';
import type { HttpAnswer } from '../support/http.ts';
import { makeKey } from '../support/jwk.ts';
import { JWT, postForm, refusalOf, requestFields } from '../support/token-endpoint.ts';

const ISSUER = 'https://oidc.example.org';
const BATCH = 'spiffe://partner.example/batch';
const BATCH2 = 'spiffe://example.org/batch';

interface World extends CanaryWorld {
  /** A planted token of the partner's, signed with its key. */
  theirs(changes?: Readonly<Record<string, unknown>>): Promise<string>;
  /** A planted token of ours for the issuer. */
  ours(subject?: string): Promise<string>;
  ask(token: string, changes?: Readonly<Record<string, string>>): Promise<HttpAnswer>;
  /** Expects a refusal, which the canary hears. */
  refused(answer: HttpAnswer | Promise<HttpAnswer>, ...expected: readonly [number, string, string]): Promise<void>;
}

async function start(options: { stsUrl?: string } = {}): Promise<World> {
  const key = await makeKey('ES256', 'same');
  const world = await startCanaryWorld({
    ...options,
    policy: `${POLICY}tokenEndpoint: { subjects: ['${BATCH}', '${BATCH2}'] }\n`,
    federated: { 'spiffe://partner.example': JSON.stringify({ keys: [key.jwk] }) },
    tokenEndpoint: true,
  });
  return {
    ...world,
    async theirs(changes = {}) {
      const now = Math.floor(Date.now() / 1000);
      return world.canary.plant(await key.sign({ sub: BATCH, aud: [ISSUER], iat: now, exp: now + 300, ...changes }));
    },
    ours: (subject = BATCH2) => world.mint({ subject, audience: [ISSUER] }),
    ask: (token, changes) => postForm(world.service.urls.http, requestFields(token, changes)),
    async refused(answer, ...expected) {
      const refusal = await answer;
      expect(refusalOf(refusal)).toEqual(expected);
      world.canary.hear('the refusal', JSON.stringify(refusal.headers) + refusal.text);
    },
  };
}

describe('a workload of a federated trust domain', () => {
  test("has the grant that lists it, by the component's own identity; nothing of either is logged", async () => {
    const world = await start();
    const token = await world.theirs();
    const answer = await world.ask(token);
    expect(answer.status).toBe(200);
    // The credential's three parts are in the answer, and the token that asked for it is not.
    expect(findLeaks(answer.text, [token])).toEqual([]);
    expect(findLeaks(answer.text, world.canary.secrets).length).toBeGreaterThanOrEqual(3);
    const [request] = world.sts.requests.all;
    const sent = new URLSearchParams(request?.body).get('WebIdentityToken') ?? '';
    expect(JSON.parse(Buffer.from(sent.split('.')[1] ?? '', 'base64url').toString()).sub).toBe(
      'spiffe://example.org/team/api',
    );
    expect(world.log.audits().at(-1)).toMatchObject({ action: 'credentials.redeem', subject: BATCH, outcome: 'ok' });
    world.canary.hear('headers', JSON.stringify(answer.headers));
    expectSilence(world);
  });

  test('shares the credential with whoever else may have it: one exchange for all', async () => {
    const world = await start();
    const tokens = [await world.theirs(), await world.theirs({ jti: 'b' }), await world.ours()];
    const answers = await Promise.all([...tokens, ...tokens].map((token) => world.ask(token)));
    expect(answers.map((answer) => answer.status)).toEqual(Array(6).fill(200));
    expect(world.sts.requests.all).toHaveLength(1);
  });

  test('is nobody in our trust domain, and ours is nobody in its', async () => {
    const world = await start();
    const forged = [400, 'invalid_request', 'token_signature_invalid'] as const;
    const denied = [400, 'invalid_target', 'policy_denied'] as const;
    // Both may be had by who they say they are; each by a key of the other.
    await world.refused(
      world.ask(await world.theirs({ sub: BATCH2 })),
      ...[400, 'invalid_request', 'token_key_unknown'],
    );
    await world.refused(world.ask(await world.theirs({ sub: 'spiffe://partner.example/other' })), ...denied);
    await world.refused(world.ask(await world.ours('spiffe://example.org/team/api')), ...denied);
    const [header = '', payload = ''] = (await world.theirs()).split('.');
    const [, , signature = ''] = (await world.theirs({ jti: 'other' })).split('.');
    await world.refused(world.ask(`${header}.${payload}.${signature}`), ...forged);
    expect(world.sts.requests.all).toEqual([]);
    expectSilence(world);
  });
});

describe('nothing of a token is in a log or an answer', () => {
  test.each<[string, (token: string) => Readonly<Record<string, string>>, readonly [number, string, string]]>([
    ['in place of the grant', (token) => ({ audience: token }), [400, 'invalid_target', 'policy_denied']],
    [
      'in place of the grant type',
      (token) => ({ grant_type: token }),
      [400, 'unsupported_grant_type', 'request_invalid'],
    ],
    ['in place of its type', (token) => ({ subject_token_type: token }), [400, 'invalid_request', 'request_invalid']],
    ['as a resource', (token) => ({ resource: token }), [400, 'invalid_target', 'request_invalid']],
    ['as a scope', (token) => ({ scope: token }), [400, 'invalid_scope', 'request_invalid']],
    ['as the type it wants', (token) => ({ requested_token_type: token }), [400, 'invalid_request', 'request_invalid']],
    [
      'of an actor',
      (token) => ({ actor_token: token, actor_token_type: JWT }),
      [400, 'invalid_request', 'request_invalid'],
    ],
    ['of a client', (token) => ({ client_assertion: token }), [401, 'invalid_client', 'request_invalid']],
    ['behind a scheme', (token) => ({ subject_token: `Bearer ${token}` }), [400, 'invalid_request', 'token_malformed']],
    ['twice', (token) => ({ subject_token: `${token}.${token}` }), [400, 'invalid_request', 'token_malformed']],
  ])('where it stands %s', async (_, changes, expected) => {
    const world = await start();
    const token = await world.theirs();
    await world.refused(world.ask(token, changes(token)), ...expected);
    expectSilence(world);
  });

  test('where it stands in the URL, in headers, or in place of a form', async () => {
    const world = await start();
    const { http } = world.service.urls;
    const token = await world.theirs();
    const invalid = [400, 'invalid_request', 'request_invalid'] as const;
    await world.refused(postForm(http, requestFields(token), { path: `/token?subject_token=${token}` }), ...invalid);
    await world.refused(postForm(http, token), ...invalid);
    await world.refused(postForm(http, `%${token}`), ...invalid);
    await world.refused(postForm(http, `${token}=${token}&${token}`), ...invalid);
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': `application/x-www-form-urlencoded` };
    await world.refused(postForm(http, requestFields(token), { headers }), 401, 'invalid_client', 'request_invalid');
    await world.refused(postForm(http, requestFields(token), { headers: { 'Content-Type': token } }), ...invalid);
    await world.refused(postForm(http, requestFields(token), { headers: { 'Content-Encoding': token } }), ...invalid);
    expectSilence(world);
  });

  test('that says a token, or that has ended, or is for others', async () => {
    const world = await start();
    const token = await world.theirs();
    const invalid = (code: string) => [400, 'invalid_request', code] as const;
    const asked = async (changes: Readonly<Record<string, unknown>>) => world.ask(await world.theirs(changes));
    await world.refused(asked({ sub: token }), ...invalid('token_malformed'));
    await world.refused(asked({ sub: `spiffe://partner.example/${token}~` }), ...invalid('token_malformed'));
    await world.refused(asked({ sub: `spiffe://partner.example/${token}` }), 400, 'invalid_target', 'policy_denied');
    await world.refused(asked({ aud: token }), ...invalid('token_audience_mismatch'));
    await world.refused(asked({ aud: [ISSUER, token] }), ...invalid('token_audience_mismatch'));
    await world.refused(asked({ exp: 1 }), ...invalid('token_expired'));
    await world.refused(asked({ nbf: 9_999_999_999 }), ...invalid('token_not_yet_valid'));
    expectSilence(world);
  });

  test('when SPIRE or the target refuses, and repeats the tokens', async () => {
    const world = await start();
    const token = await world.theirs();
    world.sts.onRequest = ({ body }) => {
      const exchanged = new URLSearchParams(body).get('WebIdentityToken') ?? '';
      return { status: 403, body: refusalXml('AccessDenied', `${token} ${exchanged}`) };
    };
    await world.refused(world.ask(token), 400, 'invalid_target', 'exchange_denied');
    world.sts.onRequest = () => ({ status: 400, body: refusalXml('MalformedPolicyDocument', token) });
    await world.refused(world.ask(token, { audience: 'others' }), 502, 'server_error', 'exchange_request_rejected');
    expectSilence(world);

    const other = await start();
    const second = await other.theirs();
    other.agent.onFetch = () => ({ code: status.INTERNAL, message: `no: ${second}` });
    await other.refused(other.ask(second), 503, 'temporarily_unavailable', 'identity_unavailable');
    expectSilence(other);
  });
});
