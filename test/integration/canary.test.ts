import { createHash, randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/base/errors.ts';
import type { FetchAnswer } from '../fakes/scripted-agent.ts';
import { refusalXml, type StsAnswer, type StsRequest } from '../fakes/scripted-sts.ts';
import {
  CREDENTIALS,
  expectRefused,
  expectSilence,
  IDENTITY,
  OTHER_CREDENTIALS,
  post,
} from '../support/canary-questions.ts';
import { audienceOf, type CanaryWorld, startCanaryWorld, svidAnswer } from '../support/canary-world.ts';
import { eventually } from '../support/eventually.ts';
import { findLeaks } from '../support/find-leaks.ts';
import { ask } from '../support/http.ts';

describe('the search', () => {
  const token = `${header()}.${base64('{"sub":"spiffe://example.org/team/api"}')}.${base64(randomBytes(64))}`;
  const [, payload = '', signature = ''] = token.split('.');
  const key = randomBytes(30).toString('base64');

  test.each<[string, string, number]>([
    ['a token', `x${token}x`, 2],
    ['its payload', payload, 1],
    ['24 characters of its signature', signature.slice(40, 64), 1],
    ['its signature in standard base64', Buffer.from(signature, 'base64url').toString('base64'), 1],
    ['its signature in hexadecimal', Buffer.from(signature, 'base64url').toString('hex'), 1],
    ['a token in base64 behind something', base64(`Bearer ${token}`), 2],
    ['a token in hexadecimal', Buffer.from(token).toString('hex'), 2],
    ['a buffer that was logged', inspect(Buffer.from(signature.slice(0, 40))), 1],
    ['a buffer in JSON', JSON.stringify(Buffer.from(signature)), 1],
    ['a key', JSON.stringify({ key }), 1],
    ['a key in a URL', `?key=${encodeURIComponent(key)}`, 1],
    ['a key in JSON in JSON', JSON.stringify(JSON.stringify({ key: key.replaceAll('+', '\\u002b') })), 1],
    ['a key that goes over lines', `${key.slice(0, 20)}\r\n  ${key.slice(20)}`, 1],
    ['both', `${token} ${key}`, 3],
    ['a header, which every token has', header(), 0],
    ['its claims, which are names', '{"sub":"spiffe://example.org/team/api"}', 0],
    ['23 characters of its signature', signature.slice(40, 63), 0],
    ['its name in the log', createHash('sha256').update(token).digest('hex'), 0],
    ['nothing', '', 0],
  ])('in %s finds what is there', (_, text, count) => {
    expect(findLeaks(text, [token, key])).toHaveLength(count);
  });

  function header(): string {
    return base64('{"alg":"ES256","kid":"a key that is named at length"}');
  }

  function base64(bytes: string | Buffer): string {
    return Buffer.from(bytes).toString('base64url');
  }
});

describe('what goes well', () => {
  test('is answered with the secrets and logged without', async () => {
    const world = await startCanaryWorld();
    const answers = [await post(world, IDENTITY), await post(world, CREDENTIALS), await post(world, CREDENTIALS)];
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200]);
    // The search works: the payload and signature of one token, and three parts of one credential, are found.
    const found = answers.map(({ text }) =>
      findLeaks(text, world.canary.secrets).filter((leak) => /as it is$/.test(leak)),
    );
    expect(found.map((leaks) => leaks.length)).toEqual([2, 3, 3]);
    expect(world.log.audits().map(({ action }) => action)).toEqual([
      'identity.mint',
      'identity.request',
      'identity.mint',
      'credentials.exchange',
      'credentials.request',
      'credentials.request',
    ]);
    expect(world.canary.secrets.size).toBe(5);
    for (const { headers } of answers) world.canary.hear('headers', JSON.stringify(headers));
    expectSilence(world);
  });

  test('and cannot be renewed later is logged without what the refusal repeats', async () => {
    const world = await startCanaryWorld();
    await post(world, CREDENTIALS);
    world.sts.onRequest = (request) => echoing(world, request, (echo) => refusal(400, 'InvalidIdentityToken', echo));
    world.skip(11 * 60_000);
    await post(world, CREDENTIALS);
    await eventually(async () => expect(world.log.lines.join()).toContain('cache.refresh_failed'));
    expectSilence(world);
  });
});

describe('SPIRE refuses, or answers with something else, and repeats a token', () => {
  const says = (code: status) => (token: string) => ({
    code,
    message: `no: ${token}\nwith ${JSON.stringify({ token })}`,
  });

  test.each<[string, (token: string, world: CanaryWorld) => FetchAnswer | Promise<FetchAnswer>, ErrorCode]>([
    ['no identity issued', says(status.PERMISSION_DENIED), 'identity_not_found'],
    [
      'no delegate',
      () => ({ code: status.PERMISSION_DENIED, message: 'caller not configured as an authorized delegate' }),
      'identity_delegate_unauthorized',
    ],
    ['INVALID_ARGUMENT', says(status.INVALID_ARGUMENT), 'identity_request_rejected'],
    ['UNIMPLEMENTED', says(status.UNIMPLEMENTED), 'identity_request_rejected'],
    ['UNAVAILABLE', says(status.UNAVAILABLE), 'identity_unavailable'],
    ['INTERNAL', says(status.INTERNAL), 'identity_unavailable'],
    ['UNAUTHENTICATED', says(status.UNAUTHENTICATED), 'identity_unavailable'],
    ['DEADLINE_EXCEEDED', says(status.DEADLINE_EXCEEDED), 'identity_unavailable'],
    ['nothing', () => ({ svids: [] }), 'identity_not_found'],
    ['no message', (token) => ({ bytes: Buffer.from(token) }), 'identity_response_invalid'],
    [
      'a token for a path',
      (token) => svidAnswer(token, { trust_domain: 'example.org', path: `/${token}` }),
      'identity_mismatch',
    ],
    [
      'a token for a trust domain',
      (token) => svidAnswer(token, { trust_domain: token, path: '/x' }),
      'identity_mismatch',
    ],
    ['no signature', (token) => svidAnswer(token.replace(/[^.]*$/, '')), 'identity_response_invalid'],
    ['a part too many', (token) => svidAnswer(`${token}.${token}`), 'identity_response_invalid'],
    ['a scheme before it', (token) => svidAnswer(`Bearer ${token}`), 'identity_response_invalid'],
    ['claims that are none', (token) => svidAnswer(token.replace('.', '.x')), 'identity_response_invalid'],
    [
      'a subject that is a token',
      (token) => svidAnswer(withClaims(token, { sub: token })),
      'identity_response_invalid',
    ],
    [
      'a subject with a token in it',
      (token) => svidAnswer(withClaims(token, { sub: `spiffe://example.org/${token}` })),
      'identity_response_invalid',
    ],
    [
      'an audience that is a token',
      (token) => svidAnswer(withClaims(token, { aud: token })),
      'identity_response_invalid',
    ],
    ['a time that is a token', (token) => svidAnswer(withClaims(token, { exp: token })), 'identity_response_invalid'],
    [
      'another subject',
      async (_, { mint }) => svidAnswer(await mint({ subject: 'spiffe://example.org/team/other' })),
      'identity_response_invalid',
    ],
    [
      'another audience',
      async (_, { mint }) => svidAnswer(await mint({ audience: ['b.example.org'] })),
      'identity_response_invalid',
    ],
    ['an expired token', async (_, { mint }) => svidAnswer(await mint({ ttl: -60 })), 'identity_response_invalid'],
  ])('%s', async (_, answer, code) => {
    const world = await startCanaryWorld();
    // A good one first, which a later answer repeats.
    await post(world, { component: 'api', audience: ['b.example.org'] });
    world.agent.onFetch = async (call) => answer(await world.mint({ audience: audienceOf(call) }), world);
    await expectRefused(world, IDENTITY, code);
    await expectRefused(world, CREDENTIALS, code);
    expectSilence(world);
  });

  test('away', async () => {
    const world = await startCanaryWorld();
    await post(world, CREDENTIALS);
    await world.agent.stop();
    await expectRefused(world, IDENTITY, 'identity_unavailable');
    expectSilence(world);
  });

  test('on the stream of bundles, with private keys among them', async () => {
    const world = await startCanaryWorld();
    const token = await world.mint();
    const d = world.canary.plant(Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url'));
    const [key] = JSON.parse(world.authority.jwkSet()).keys;
    const stream = await world.agent.streams.next();
    stream.send({ 'spiffe://example.org': JSON.stringify({ keys: [{ ...key, d, kid: 'private' }] }) });
    const published = await eventually(async () => {
      const { text } = await ask(world.service.urls.http, { path: '/keys' });
      expect(text).toContain('"kid":"private"');
      return text;
    });
    world.canary.hear('what is published', published);
    stream.send({ 'spiffe://example.org': `{"keys": ["${token}", "${d}"` });
    stream.send({ [`spiffe://${token}`]: '{"keys": []}' });
    stream.sendBytes(Buffer.from(token));
    stream.fail(status.INTERNAL, `no: ${token}`);
    await eventually(async () => expect(world.log.lines.join()).toContain('bundles.stream_ended'));
    expect(world.log.lines.join()).toContain('"keyIds":["private"]');
    expectSilence(world);
  });
});

describe('STS refuses, or answers with something else, and repeats the token and the credentials', () => {
  test.each<[string, number, ErrorCode]>([
    ['AccessDenied', 403, 'exchange_denied'],
    ['ExpiredTokenException', 400, 'exchange_token_rejected'],
    ['InvalidIdentityToken', 400, 'exchange_token_rejected'],
    ['IDPRejectedClaim', 403, 'exchange_token_rejected'],
    ['IDPCommunicationError', 400, 'exchange_unavailable'],
    ['MalformedPolicyDocument', 400, 'exchange_request_rejected'],
    ['PackedPolicyTooLarge', 400, 'exchange_request_rejected'],
    ['RegionDisabledException', 403, 'exchange_request_rejected'],
    ['ValidationError', 400, 'exchange_request_rejected'],
    ['Throttling', 400, 'exchange_throttled'],
    ['RequestLimitExceeded', 503, 'exchange_throttled'],
    ['InternalFailure', 500, 'exchange_unavailable'],
    ['ServiceUnavailable', 503, 'exchange_unavailable'],
    ['SomethingNew', 400, 'exchange_request_rejected'],
  ])('%s', async (wireCode, httpStatus, code) => {
    await expectEchoRefused((echo) => refusal(httpStatus, wireCode, echo), code);
  });

  test.each<[string, (echo: string, granted: string) => StsAnswer, ErrorCode]>([
    ['in place of its code', (echo) => refusal(400, echo, 'no'), 'exchange_request_rejected'],
    ['in words of a proxy', (echo) => ({ status: 502, body: `<html>${echo}</html>` }), 'exchange_unavailable'],
    ['in a status of success', (echo) => ({ status: 200, body: echo }), 'exchange_response_invalid'],
    ['in broken XML', (echo) => ({ status: 400, body: `<Error><${echo}></Message>` }), 'exchange_response_invalid'],
    ['in JSON', (echo) => ({ status: 400, body: JSON.stringify({ message: echo }) }), 'exchange_response_invalid'],
    [
      'in headers',
      (echo) => ({ status: 403, body: '', headers: { 'x-amzn-errortype': echo } }),
      'exchange_response_invalid',
    ],
    [
      'in an answer that is cut off',
      (_, granted) => ({ status: 200, body: granted.slice(0, -200) }),
      'exchange_response_invalid',
    ],
    [
      'in credentials without an end',
      (_, granted) => ({ status: 200, body: granted.replace(/<Expiration>.*<.Expiration>/, '') }),
      'exchange_response_invalid',
    ],
    [
      'in credentials that have ended',
      (_, granted) => ({ status: 200, body: granted.replace(/<Expiration>..../, '<Expiration>2006') }),
      'exchange_response_invalid',
    ],
    [
      'in credentials whose end is no time',
      (echo, granted) => ({ status: 200, body: granted.replace(/<Expiration>[^<]*/, `<Expiration>${echo}`) }),
      'exchange_response_invalid',
    ],
  ])('%s', async (_, answer, code) => {
    await expectEchoRefused(answer, code);
  });

  test('away', async () => {
    const world = await startCanaryWorld({ stsUrl: 'http://127.0.0.1:1' });
    await expectRefused(world, CREDENTIALS, 'exchange_unavailable');
    expectSilence(world);
  });

  async function expectEchoRefused(
    answer: (echo: string, granted: string) => StsAnswer,
    code: ErrorCode,
  ): Promise<void> {
    const world = await startCanaryWorld();
    // Credentials that were granted before; an upstream may repeat those too.
    await post(world, CREDENTIALS);
    world.sts.onRequest = (request) => echoing(world, request, answer);
    await expectRefused(world, OTHER_CREDENTIALS, code);
    expectSilence(world);
  }
});

/** STS answers with all it was sent and all it has granted: the token, its parts, a piece of its signature, the keys. */
function echoing(
  world: CanaryWorld,
  request: StsRequest,
  answer: (echo: string, granted: string) => StsAnswer,
): StsAnswer {
  const token = new URLSearchParams(request.body).get('WebIdentityToken') ?? '';
  const signature = token.split('.')[2] ?? '';
  const credentials = [...world.canary.secrets].filter((secret) => !secret.startsWith('eyJ')).slice(0, 3);
  return answer(
    `${credentials.join(' ')} ${signature.slice(10, 50)} ${signature} ${token} ${encodeURIComponent(request.body)}`,
    world.grantedXml(),
  );
}

function refusal(httpStatus: number, code: string, message: string): StsAnswer {
  return { status: httpStatus, body: refusalXml(code, message) };
}

/** The token with other claims, and its signature as it was. */
function withClaims(token: string, changes: object): string {
  const [header = '', payload = '', signature = ''] = token.split('.');
  const claims = { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), ...changes };
  return [header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
}
