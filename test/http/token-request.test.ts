import { connect } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_TOKEN_REQUEST_BYTES } from '../../src/http/token-request.ts';
import { fakeToken } from '../fakes/broker.ts';
import { eventually } from '../support/eventually.ts';
import { ask, askRaw } from '../support/http.ts';
import {
  ACCESS_TOKEN,
  JWT,
  postForm,
  refusalOf,
  requestFields,
  startTokenEndpoint,
  TOKEN_EXCHANGE,
} from '../support/token-endpoint.ts';

const TOKEN = fakeToken('batch', ['https://oidc.example.org']);

describe('a request that is none', () => {
  const changes: readonly (readonly [Readonly<Record<string, string | undefined>>, string])[] = [
    [{ grant_type: undefined }, 'invalid_request'],
    [{ grant_type: '' }, 'invalid_request'],
    [{ grant_type: 'client_credentials' }, 'unsupported_grant_type'],
    [{ grant_type: 'token-exchange' }, 'unsupported_grant_type'],
    [{ grant_type: `${TOKEN_EXCHANGE} ` }, 'unsupported_grant_type'],
    [{ grant_type: TOKEN_EXCHANGE.toUpperCase() }, 'unsupported_grant_type'],
    [{ subject_token: undefined }, 'invalid_request'],
    [{ subject_token: '' }, 'invalid_request'],
    [{ subject_token_type: undefined }, 'invalid_request'],
    [{ subject_token_type: 'jwt' }, 'invalid_request'],
    [{ subject_token_type: ACCESS_TOKEN }, 'invalid_request'],
    [{ subject_token_type: 'urn:ietf:params:oauth:token-type:id_token' }, 'invalid_request'],
    [{ audience: undefined }, 'invalid_request'],
    [{ audience: '' }, 'invalid_request'],
    [{ resource: 'https://api.example.org' }, 'invalid_target'],
    [{ audience: undefined, resource: 'models' }, 'invalid_target'],
    [{ actor_token: TOKEN, actor_token_type: JWT }, 'invalid_request'],
    [{ actor_token_type: JWT }, 'invalid_request'],
    [{ scope: 'openid' }, 'invalid_scope'],
    [{ scope: ' ' }, 'invalid_scope'],
    [{ requested_token_type: JWT }, 'invalid_request'],
    [{ requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }, 'invalid_request'],
    [{ requested_token_type: 'aws' }, 'invalid_request'],
  ];

  test.each(changes)('with %j is %s', async (change, expected) => {
    const { server, post, redeemer, log } = await startTokenEndpoint();
    const answer = await post(server, requestFields(TOKEN, change));
    expect(refusalOf(answer)).toEqual([400, expected, 'request_invalid']);
    expect(answer.headers).toMatchObject({ 'cache-control': 'no-store' });
    expect(redeemer.asked).toEqual([]);
    expect(log.entries()).toMatchObject([
      { event: 'token_request.refused', oauthError: expected, error: { code: 'request_invalid' } },
    ]);
    expect(log.lines.join() + answer.text).not.toContain('eyJ');
  });

  test.each([
    { client_secret: 'a-secret-of-a-client' },
    { client_assertion: TOKEN },
    { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' },
  ])('with %j believes that it authenticates, and hears that it does not', async (change) => {
    const { server, post, redeemer, log } = await startTokenEndpoint();
    const answer = await post(server, requestFields(TOKEN, { client_id: 'c', ...change }));
    expect(refusalOf(answer)).toEqual([401, 'invalid_client', 'request_invalid']);
    expect(answer.headers).not.toHaveProperty('www-authenticate');
    expect(redeemer.asked).toEqual([]);
    expect(log.lines.join() + answer.text).not.toMatch(/eyJ|a-secret/);
  });

  test.each([
    ['Basic Y2xpZW50OnNlY3JldA==', 'Basic realm="svid-exchange"'],
    [`Bearer ${TOKEN}`, 'Bearer realm="svid-exchange"'],
    [TOKEN, 'Bearer realm="svid-exchange"'],
  ])('with Authorization %.12s likewise', async (authorization, expected) => {
    const { server, post, redeemer, log } = await startTokenEndpoint();
    const answer = await post(server, requestFields(TOKEN), { headers: { Authorization: authorization } });
    expect(refusalOf(answer)).toEqual([401, 'invalid_client', 'request_invalid']);
    expect(answer.headers['www-authenticate']).toBe(expected);
    expect(redeemer.asked).toEqual([]);
    expect(log.lines.join()).not.toMatch(/eyJ|Y2xpZW50/);
  });

  test.each([
    undefined,
    '',
    'application/json',
    'multipart/form-data; boundary=x',
    'text/plain',
    'application/x-www-form-urlencodedx',
    'application/x-www-form-urlencoded; charset=iso-8859-1',
    'application/x-www-form-urlencoded; charset=utf-16',
    'application/x-www-form-urlencoded; charset=utf-8; charset=utf-7',
  ])('of the type %s', async (type) => {
    const { server, redeemer } = await startTokenEndpoint();
    const body = new URLSearchParams(requestFields(TOKEN)).toString();
    const headers = type === undefined ? {} : { 'Content-Type': type };
    const answer = await ask(server, { method: 'POST', path: '/token', headers, body });
    expect(refusalOf(answer)).toEqual([400, 'invalid_request', 'request_invalid']);
    expect(redeemer.asked).toEqual([]);
  });

  test.each([
    'application/x-www-form-urlencoded;charset=UTF-8',
    'application/x-www-form-urlencoded; charset="utf-8"',
    'Application/X-WWW-Form-URLencoded',
  ])('is not one of the type %s', async (type) => {
    const { server, post } = await startTokenEndpoint();
    expect((await post(server, requestFields(TOKEN), { headers: { 'Content-Type': type } })).status).toBe(200);
  });

  test('in JSON, in a query, compressed, in other bytes', async () => {
    const { server, post, redeemer, log } = await startTokenEndpoint();
    const good = new URLSearchParams(requestFields(TOKEN)).toString();
    const refusals = [
      await post(server, JSON.stringify(Object.fromEntries(requestFields(TOKEN)))),
      await post(server, good, { path: `/token?${good}` }),
      await post(server, '', { path: `/token?${good}` }),
      await post(server, good, { path: '/token?' }),
      await post(server, good, { headers: { 'Content-Encoding': 'gzip' } }),
      await post(server, `${good}&x=%zz`),
      await post(server, `${good}&x=%ff`),
      await post(server, Buffer.from(`${good}&x=\xff`, 'latin1')),
      await post(server, Buffer.from(good, 'utf16le')),
      await post(server, ''),
    ];
    for (const answer of refusals) expect(refusalOf(answer)).toEqual([400, 'invalid_request', 'request_invalid']);
    expect(redeemer.asked).toEqual([]);
    expect(log.entries()).toHaveLength(refusals.length);
    expect(log.lines.join()).not.toContain('eyJ');
  });

  test('of more bytes than are read, announced or not', async () => {
    const { server, post, redeemer } = await startTokenEndpoint();
    const good = new URLSearchParams(requestFields(TOKEN)).toString();
    const fill = (size: number) => `${good}&x=${'a'.repeat(size - good.length - 3)}`;
    expect((await post(server, fill(MAX_TOKEN_REQUEST_BYTES))).status).toBe(200);
    const expected = [413, 'invalid_request', 'request_too_large'];
    expect(refusalOf(await post(server, fill(MAX_TOKEN_REQUEST_BYTES + 1)))).toEqual(expected);
    const chunked = { headers: { 'Transfer-Encoding': 'chunked' } };
    expect((await post(server, good, chunked)).status).toBe(200);
    expect(refusalOf(await post(server, fill(2 * MAX_TOKEN_REQUEST_BYTES), chunked))).toEqual(expected);
    expect(redeemer.asked).toHaveLength(2);
  });

  const HEAD = 'POST /token HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n';

  test('of more bytes than are read ends its connection, and nobody waits for them', async () => {
    const { server } = await startTokenEndpoint();
    // Resolves when the server closes the connection, which the client would have kept.
    const answer = await askRaw(server, `${HEAD}Content-Length: ${MAX_TOKEN_REQUEST_BYTES + 1}\r\n\r\n`);
    // Not the 408 that whoever keeps the body back hears after ten seconds.
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    expect(answer).not.toMatch(/HTTP\/1.1 408 |keep-alive/);
  });

  test('of two lengths never gets here', async () => {
    const { server, redeemer, log } = await startTokenEndpoint();
    const bytes = `${HEAD}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`;
    expect(await askRaw(server, bytes)).toMatch(/^HTTP\/1.1 400 /);
    expect([redeemer.asked, log.lines]).toEqual([[], []]);
  });

  test('whose body breaks off', async () => {
    const { server, redeemer, log } = await startTokenEndpoint();
    const body = new URLSearchParams(requestFields(TOKEN)).toString();
    const socket = connect(Number(new URL(server).port), '127.0.0.1');
    // All of a good request but for the length that it announces.
    socket.write(`${HEAD}Content-Length: ${body.length + 1}\r\n\r\n${body}`, () => socket.destroy());
    await eventually(async () => expect(log.entries()).toMatchObject([{ error: { code: 'request_invalid' } }]));
    expect(redeemer.asked).toEqual([]);
    expect(log.lines.join()).not.toContain('eyJ');
  });

  test('has any parameter twice that may stand once, however the second is written', async () => {
    const { server, redeemer } = await startTokenEndpoint();
    const fields = requestFields(TOKEN, {
      requested_token_type: ACCESS_TOKEN,
      client_id: 'a',
      scope: '',
      actor_token: '',
      actor_token_type: '',
    }).filter(([name]) => name !== 'audience');
    const encoded = (value: string, which: readonly boolean[]) =>
      [...value]
        .map((char, index) => (which[index % which.length] ? `%${char.charCodeAt(0).toString(16)}` : char))
        .join('');
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...fields),
        fc.string({ unit: 'grapheme-ascii' }),
        fc.array(fc.boolean(), { minLength: 1 }),
        fc.nat(),
        fc.boolean(),
        async ([name], value, which, place, same) => {
          const pairs = [...fields, ['audience', 'models']].map(
            ([key = '', text = '']) => `${key}=${encodeURIComponent(text)}`,
          );
          const again = same ? (fields.find(([key]) => key === name)?.[1] ?? '') : value;
          pairs.splice(place % (pairs.length + 1), 0, `${encoded(name, which)}=${encodeURIComponent(again)}`);
          expect(refusalOf(await postForm(server, pairs.join('&')))).toEqual([
            400,
            'invalid_request',
            'request_invalid',
          ]);
        },
      ),
      { numRuns: 60 },
    );
    expect(redeemer.asked).toEqual([]);
  });
});
