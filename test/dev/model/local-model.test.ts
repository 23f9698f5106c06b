import { Sha256 } from '@smithy/core/checksum';
import { SignatureV4 } from '@smithy/signature-v4';
import { describe, expect, test } from 'vitest';
import type { Session } from '../../../src/dev/aws/sessions.ts';
import { createFakeClock, type FakeClock } from '../../fakes/clock.ts';
import { findLeaks } from '../../support/find-leaks.ts';
import { ask, type HttpAnswer } from '../../support/http.ts';
import { type LocalModel, REGION, startLocalModel } from '../../support/local-model.ts';
import { amzDate, authorizationOf, sha256 } from '../../support/sigv4.ts';

const MODEL_ID = 'anthropic.claude-3-haiku-20240307-v1:0';
const PATH = `/model/${encodeURIComponent(MODEL_ID)}/invoke`;
const PROMPT = 'a payment that arrived on time';
const BODY = JSON.stringify({ max_tokens: 300, messages: [{ role: 'user', content: PROMPT }] });
const ARN = 'arn:aws:sts::111122223333:assumed-role/models/session';
const MINUTE = 60_000;

type Headers = Readonly<Record<string, string | undefined>>;

interface Changes {
  /** Before the request is signed. */
  readonly path?: string;
  readonly body?: string;
  readonly headers?: Headers;
  readonly region?: string;
  readonly service?: string;
  readonly secretAccessKey?: string;
  /** After it. */
  readonly sentMethod?: string;
  readonly sentPath?: string;
  readonly sentBody?: string;
  readonly sentHeaders?: Headers;
}

interface World {
  readonly model: LocalModel;
  readonly clock: FakeClock;
  /** Signs a good request by AWS's description alone, changes it, and sends it. */
  send(session: Session, changes?: Changes): Promise<HttpAnswer>;
  /** The same, for the status and the code that it is refused with. */
  refused(session: Session, changes?: Changes): Promise<readonly [number, string]>;
}

async function start(): Promise<World> {
  const clock = createFakeClock(Date.parse('2026-11-22T12:00:00Z'));
  const model = await startLocalModel(clock);

  const send: World['send'] = (session, changes = {}) => {
    const { path = PATH, body = BODY, region = REGION, service = 'bedrock' } = changes;
    const headers = present({
      host: new URL(model.url).host,
      'content-type': 'application/json',
      'x-amz-date': amzDate(clock.now()),
      'x-amz-security-token': session.sessionToken,
      ...changes.headers,
    });
    const { accessKeyId, secretAccessKey } = { ...session, ...changes };
    const key = { accessKeyId, secretAccessKey, region, service };
    const authorization = authorizationOf({ method: 'POST', path, headers, body }, key);
    return ask(model.url, {
      method: changes.sentMethod ?? 'POST',
      path: changes.sentPath ?? path,
      headers: present({ ...headers, authorization, ...changes.sentHeaders }),
      body: changes.sentBody ?? body,
    });
  };

  return {
    model,
    clock,
    send,
    async refused(session, changes) {
      const { status, headers, text } = await send(session, changes);
      expect(JSON.parse(text), text).toStrictEqual({ message: expect.stringMatching(/\w/) });
      expect(headers['content-type']).toBe('application/json');
      const secrets = [session.secretAccessKey, session.sessionToken];
      expect(findLeaks([text, JSON.stringify(headers), ...model.log.lines].join('\n'), secrets)).toEqual([]);
      expect(text).not.toContain(PROMPT);
      return [status, String(headers['x-amzn-errortype'])];
    },
  };
}

function present(headers: Headers): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

function storyOf({ status, text }: HttpAnswer): string {
  expect(status, text).toBe(200);
  return JSON.parse(text).content[0].text;
}

const MISMATCH = [403, 'InvalidSignatureException'];

describe('a model that may be invoked', () => {
  test('tells a story as a Messages API does, and who asked for it', async () => {
    const { model, send } = await start();
    const answer = await send(model.open());
    expect(JSON.parse(answer.text)).toStrictEqual({
      id: expect.stringMatching(/^msg_/),
      type: 'message',
      role: 'assistant',
      model: MODEL_ID,
      content: [{ type: 'text', text: expect.stringContaining(PROMPT) }],
      stop_reason: 'end_turn',
      stop_sequence: null,
      usage: { input_tokens: 6, output_tokens: expect.any(Number) },
    });
    expect(storyOf(answer)).toMatch(new RegExp(`\\(Told to ${ARN}\\.\\)$`));
    expect(answer.headers['x-amzn-requestid']).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('tells the same story for the same prompt, and another one for another', async () => {
    const { model, send } = await start();
    const other = JSON.stringify({ max_tokens: 1, messages: [{ role: 'user', content: 'rain' }] });
    const [first, second, third] = await Promise.all([
      send(model.open()),
      send(model.open()),
      send(model.open(), { body: other }),
    ]);
    expect(storyOf(second)).toBe(storyOf(first));
    expect(storyOf(third)).not.toBe(storyOf(first));
  });

  test('by what the SDK signs', async () => {
    const { model, clock } = await start();
    const { accessKeyId, secretAccessKey, sessionToken } = model.open();
    const credentials = { accessKeyId, secretAccessKey, sessionToken };
    const { host } = new URL(model.url);
    for (const applyChecksum of [true, false]) {
      const signer = new SignatureV4({
        credentials,
        region: REGION,
        service: 'bedrock',
        sha256: Sha256,
        applyChecksum,
      });
      const signed = await signer.sign(
        {
          method: 'POST',
          protocol: 'http:',
          hostname: '127.0.0.1',
          path: PATH,
          query: {},
          headers: { host },
          body: BODY,
        },
        { signingDate: new Date(clock.now()) },
      );
      const answer = await ask(model.url, { method: 'POST', path: PATH, headers: signed.headers, body: BODY });
      expect(storyOf(answer)).toContain(ARN);
    }
  });

  test.each([
    ['the ID as it is, without its colon encoded', { path: `/model/${MODEL_ID}/invoke` }],
    [
      'an inference profile',
      { path: `/model/${encodeURIComponent('arn:aws:bedrock:us-east-1::profile/us.a')}/invoke` },
    ],
    ['the hash of the body, signed', { headers: { 'x-amz-content-sha256': sha256(BODY) } }],
    [
      'a body that is no ASCII',
      { body: JSON.stringify({ max_tokens: 9, messages: [{ role: 'user', content: 'é 🙂' }] }) },
    ],
    [
      'a prompt in blocks',
      {
        body: JSON.stringify({
          max_tokens: 9,
          messages: [{ role: 'user', content: [{ type: 'text', text: 'rain' }] }],
        }),
      },
    ],
    ['headers that are not signed', { sentHeaders: { accept: '*/*', 'user-agent': 'test' } }],
  ])('by %s', async (_, changes: Changes) => {
    const { model, send } = await start();
    expect(storyOf(await send(model.open(), changes))).toContain(ARN);
  });

  test('in another region that the role has', async () => {
    const { model, send } = await start();
    const session = model.open([REGION, 'eu-central-1']);
    expect(storyOf(await send(session, { region: 'eu-central-1' }))).toContain(ARN);
  });

  test('up to 15 minutes before and after the time that is signed', async () => {
    const { model, clock, send } = await start();
    for (const skew of [-15 * MINUTE, 15 * MINUTE]) {
      const headers = { 'x-amz-date': amzDate(clock.now() + skew) };
      expect(storyOf(await send(model.open(), { headers }))).toContain(ARN);
    }
  });
});

describe('a signature that does not hold', () => {
  const tampered: readonly (readonly [string, Changes])[] = [
    ['another body', { sentBody: BODY.replace('time', 'Mars') }],
    ['no body', { sentBody: '' }],
    ['the path of another model', { sentPath: PATH.replace('haiku', 'opus') }],
    ['the path encoded otherwise', { sentPath: PATH.replace('%3A', ':') }],
    ['another host', { sentHeaders: { host: 'bedrock-runtime.us-east-1.amazonaws.com' } }],
    ['a signed header that was changed', { sentHeaders: { 'content-type': 'text/plain' } }],
    ['a signed header that is gone', { headers: { 'x-amz-meta': 'a' }, sentHeaders: { 'x-amz-meta': undefined } }],
    ['a body that is not hashed', { headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } }],
    ['the hash of another body', { headers: { 'x-amz-content-sha256': sha256('{}') } }],
    ['the key of somebody else', { secretAccessKey: 'x'.repeat(40) }],
    ['the signing name of STS', { service: 'sts' }],
    ['the name of the endpoint for a signing name', { service: 'bedrock-runtime' }],
    ['a region where there is no such endpoint', { region: 'us-west-2' }],
    ['a region in capitals', { region: 'US-EAST-1' }],
  ];

  test.each(tampered)('%s', async (_, changes) => {
    const { model, refused } = await start();
    expect(await refused(model.open(['us-west-2', REGION]), changes)).toEqual(MISMATCH);
  });

  test('15 minutes and a second old, or early', async () => {
    const { model, clock, refused } = await start();
    for (const skew of [-15 * MINUTE - 1_000, 15 * MINUTE + 1_000]) {
      const headers = { 'x-amz-date': amzDate(clock.now() + skew) };
      expect(await refused(model.open(), { headers })).toEqual(MISMATCH);
    }
  });

  test.each([
    ['no date', { 'x-amz-date': undefined }],
    ['a date of another form', { 'x-amz-date': '2026-11-22T12:00:00Z' }],
    ['a bearer token', { authorization: 'Bearer abc' }],
    ['an empty header', { authorization: '' }],
  ])('%s', async (_, sentHeaders: Headers) => {
    const { model, refused } = await start();
    expect(await refused(model.open(), { sentHeaders })).toEqual([403, 'IncompleteSignatureException']);
  });

  test('there at all', async () => {
    const { model, refused } = await start();
    const sentHeaders = { authorization: undefined };
    expect(await refused(model.open(), { sentHeaders })).toEqual([403, 'MissingAuthenticationTokenException']);
  });
});

describe('credentials that do not do', () => {
  const UNKNOWN = [403, 'UnrecognizedClientException'];

  test('a key that was never handed out, or of another STS', async () => {
    const { model, refused } = await start();
    const elsewhere = (await start()).model.open();
    expect(await refused({ ...model.open(), accessKeyId: 'ASIAAAAAAAAAAAAAAAAA' })).toEqual(UNKNOWN);
    expect(await refused({ ...model.open(), accessKeyId: '__proto__' })).toEqual(UNKNOWN);
    expect(await refused(elsewhere)).toEqual(UNKNOWN);
  });

  test('a key without its session token, or with that of another', async () => {
    const { model, refused } = await start();
    for (const token of [undefined, '', model.open().sessionToken]) {
      expect(await refused(model.open(), { headers: { 'x-amz-security-token': token } })).toEqual(UNKNOWN);
    }
  });

  test('a session that ended', async () => {
    const { model, clock, send, refused } = await start();
    const session = model.open();
    await clock.advance(15 * MINUTE - 1_000);
    expect(storyOf(await send(session))).toContain(ARN);
    await clock.advance(1_000);
    expect(await refused(session)).toEqual([403, 'ExpiredTokenException']);
  });

  test('a role that may not invoke models, or not there', async () => {
    const { model, refused, send } = await start();
    const denied = [403, 'AccessDeniedException'];
    expect(await refused(model.open([]))).toEqual(denied);
    expect(await refused(model.open(['eu-central-1']))).toEqual(denied);
    const { text } = await send(model.open([]));
    expect(JSON.parse(text).message).toContain(`User: ${ARN} is not authorized to perform: bedrock:InvokeModel`);
  });
});

describe('a request that is none', () => {
  test.each([
    ['another method', { sentMethod: 'GET', sentBody: '' }],
    ['another operation', { path: PATH.replace('invoke', 'converse') }],
    ['a query', { path: `${PATH}?a=b` }],
    ['no model', { path: '/model//invoke' }],
    ['STS', { path: '/' }],
  ])('%s', async (_, changes: Changes) => {
    const { model, refused } = await start();
    expect(await refused(model.open(), changes)).toEqual([404, 'UnknownOperationException']);
  });

  test.each([
    ['no JSON', { body: PROMPT.slice(0, 3) }],
    ['no messages', { body: '{"max_tokens":1}' }],
    ['empty messages', { body: '{"max_tokens":1,"messages":[]}' }],
    ['no limit', { body: '{"messages":[{"role":"user","content":"x"}]}' }],
    ['an image', { body: '{"max_tokens":1,"messages":[{"role":"user","content":[{"type":"image"}]}]}' }],
    ['a model with a space in its name', { path: '/model/a%20b/invoke' }],
    ['a model that is no text', { path: '/model/%FF/invoke' }],
  ])('%s', async (_, changes: Changes) => {
    const { model, refused } = await start();
    expect(await refused(model.open(), changes)).toEqual([400, 'ValidationException']);
  });

  test('a body that is too large', async () => {
    const { model, refused } = await start();
    const body = 'x'.repeat(1024 * 1024 + 1);
    expect(await refused(model.open(), { body })).toEqual([413, 'RequestEntityTooLargeException']);
  });

  test('who is not allowed learns nothing of what is wrong with the rest', async () => {
    const { model, refused } = await start();
    expect(await refused(model.open([]), { body: 'no JSON' })).toEqual([403, 'AccessDeniedException']);
    expect(await refused(model.open(), { sentBody: 'no JSON' })).toEqual(MISMATCH);
  });
});
