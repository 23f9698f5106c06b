import { describe, expect, test } from 'vitest';
import { ERROR_CODES, type ErrorCode, SvidxError } from '../../../src/base/errors.ts';
import { azureStatus } from '../../../src/http/endpoints/azure.ts';
import { HTTP_STATUS } from '../../../src/http/errors.ts';
import { EXPIRY_SECONDS, FAKE_ACCESS_TOKEN, fakeToken, refusalWithDetail } from '../../fakes/broker.ts';
import { findLeaks } from '../../support/find-leaks.ts';
import { ask, askRaw } from '../../support/http.ts';
import {
  API_CLIENT,
  AZURE_VERSION,
  codeOf,
  PROVIDER_AUDIENCE,
  STORAGE,
  startEndpoints,
} from '../../support/sdk-endpoints.ts';

const CODES = Object.keys(ERROR_CODES) as ErrorCode[];
const QUERY = `${AZURE_VERSION}&resource=${encodeURIComponent(STORAGE)}`;

describe('a good answer', () => {
  test('of AWS has the four members of the container credentials protocol', async () => {
    const { open, aws } = await startEndpoints();
    const { secret } = await open();
    const answer = await aws(secret, 'models');
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toEqual({
      AccessKeyId: 'ASIAEXAMPLEEXAMPLE00',
      SecretAccessKey: 'the-secret-access-key',
      Token: 'the-session-token',
      Expiration: '2030-01-01T00:00:00.000Z',
    });
    expect(answer.headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' });
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  test('of Azure has its end in seconds, as a string', async () => {
    const { open, azure, broker } = await startEndpoints();
    const { secret } = await open();
    broker.give = FAKE_ACCESS_TOKEN;
    const answer = await azure(secret, `${QUERY}&client_id=${API_CLIENT}&xms_cc=cp1`);
    expect({ status: answer.status, ...JSON.parse(answer.text) }).toEqual({
      status: 200,
      access_token: 'the-access-token-of-entra',
      expires_on: String(EXPIRY_SECONDS),
      resource: STORAGE,
      token_type: 'Bearer',
      client_id: API_CLIENT,
    });
  });

  test('of Google Cloud is the subject token', async () => {
    const { open, gcp } = await startEndpoints();
    const { secret } = await open();
    const answer = await gcp(secret, 'files');
    expect(JSON.parse(answer.text)).toEqual({ subject_token: fakeToken('api', [PROVIDER_AUDIENCE]) });
  });
});

describe('errors are in the words of each protocol', () => {
  test.each(CODES)('%s', async (code) => {
    const { open, aws, azure, gcp, broker, log } = await startEndpoints();
    const { secret } = await open();
    broker.failure = new SvidxError(code, 'a sentence', { detail: 'DETAIL-FOR-THE-LOG' });
    const answers = [await aws(secret, 'models'), await azure(secret, QUERY), await gcp(secret, 'files')];
    const [ofAws, ofAzure, ofGoogle] = answers.map(({ status, text }) => ({ status, body: JSON.parse(text) }));
    expect(ofAws).toEqual({ status: HTTP_STATUS[code], body: { Code: code, Message: 'a sentence' } });
    expect(ofAzure).toEqual({
      status: azureStatus(code),
      body: { statusCode: azureStatus(code), message: `${code}: a sentence` },
    });
    expect(ofGoogle).toEqual({ status: HTTP_STATUS[code], body: { code, message: 'a sentence' } });
    expect(findLeaks(JSON.stringify(answers), [secret.slice(23)])).toEqual([]);
    expect(log.lines.join('\n').includes(secret)).toBe(false);
  });

  test('Azure: what its SDK repeats is only what may pass by itself', () => {
    const repeated = CODES.filter((code) => ![400, 401].includes(azureStatus(code))).sort();
    expect(repeated).toEqual(CODES.filter((code) => [429, 500, 503, 504].includes(HTTP_STATUS[code])).sort());
    expect(azureStatus('policy_denied')).toBe(400);
    expect(azureStatus('identity_not_found')).toBe(400);
    expect(azureStatus('session_invalid')).toBe(401);
    expect(azureStatus('exchange_denied')).toBe(400);
    expect(azureStatus('exchange_throttled')).toBe(503);
  });

  test('something that is none of ours says nothing of itself, and is logged', async () => {
    const { open, aws, broker, log } = await startEndpoints();
    const { secret } = await open();
    broker.failure = new Error('SECRET-1');
    const answer = await aws(secret, 'models');
    expect({ status: answer.status, code: codeOf(answer) }).toEqual({ status: 500, code: 'internal_error' });
    expect(answer.text).not.toContain('SECRET-1');
    expect(log.entries().at(-1)).toMatchObject({ level: 'error', msg: 'a request failed' });
  });

  test('the detail of a refusal stays in the log', async () => {
    const { open, aws, broker } = await startEndpoints();
    const { secret } = await open();
    broker.failure = refusalWithDetail();
    expect((await aws(secret, 'models')).text).not.toContain('DETAIL');
  });
});

describe('the secret', () => {
  const at = [
    ['aws', '/aws/models', 'Authorization', (secret: string) => secret],
    ['azure', `/azure/token?${QUERY}`, 'X-IDENTITY-HEADER', (secret: string) => secret],
    ['gcp', '/gcp/files/subject-token', 'Authorization', (secret: string) => `Bearer ${secret}`],
  ] as const;

  test.each(at)('%s: is wanted, as it is, in its one header', async (_, path, header, write) => {
    const { open, get, url, broker } = await startEndpoints();
    broker.give = header === 'Authorization' ? broker.give : FAKE_ACCESS_TOKEN;
    const { secret } = await open();
    const { secret: another } = await open({ component: 'ledger' });
    const wrong = `${secret.slice(0, -1)}${secret.endsWith('A') ? 'E' : 'A'}`;
    const other = header === 'Authorization' ? 'X-IDENTITY-HEADER' : 'Authorization';
    for (const headers of [
      {},
      { [header]: '' },
      { [header]: write(wrong) },
      { [header]: write(secret.slice(0, 22)) },
      { [header]: write(`${secret}${secret}`) },
      { [header]: `Basic ${Buffer.from(`:${secret}`).toString('base64')}` },
      { [header]: `Bearer  ${secret}, Bearer ${secret}` },
      { [header]: `${write(secret)}, ${write(another)}` },
      { [other]: write(secret) },
      { Cookie: `session=${secret}` },
      { secret },
    ]) {
      const answer = await get(path, headers);
      expect({ status: answer.status, code: codeOf(answer) }, JSON.stringify(Object.keys(headers))).toEqual({
        status: 401,
        code: 'session_invalid',
      });
    }
    // Node itself makes one of two, and does so in another way for each name.
    const { host } = new URL(url);
    for (const [first, second] of [
      [secret, secret],
      [secret, another],
      [wrong, secret],
    ] as const) {
      const twice = `${header}: ${write(first)}\r\n${header.toLowerCase()}: ${write(second)}\r\n`;
      const raw = await askRaw(url, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${twice}Connection: close\r\n\r\n`);
      expect(raw).toContain('HTTP/1.1 401');
      expect(raw).toContain('session_invalid');
    }
    expect(broker.asked).toEqual([]);
    for (const name of [header, header.toLowerCase(), header.toUpperCase()]) {
      expect((await get(path, { [name]: write(secret) })).status).toBe(200);
    }
  });

  test('in a URL is worth nothing', async () => {
    const { open, get, broker } = await startEndpoints();
    const { secret } = await open();
    for (const path of [`/aws/models?Authorization=${secret}`, `/azure/token?${QUERY}&secret=${secret}`]) {
      expect((await get(path)).status).toBe(401);
    }
    expect(broker.asked).toEqual([]);
  });

  test('is good no longer once the session is revoked', async () => {
    const { open, aws, sessions } = await startEndpoints();
    const { session, secret } = await open();
    expect((await aws(secret, 'models')).status).toBe(200);
    await sessions.revoke(session.id);
    expect(codeOf(await aws(secret, 'models'))).toBe('session_invalid');
  });
});

describe('paths and methods', () => {
  test.each([
    '/',
    '/aws',
    '/aws/',
    '/AWS/models',
    '/aws/models/',
    '/aws//models',
    '//aws/models',
    '/aws/models?',
    '/aws/models?grant=models',
    '/aws/%6dodels',
    '/aws/models%00',
    '/aws/models%2f',
    '/aws/./models',
    '/aws/../aws/models',
    '/aws/models;v=1',
    '/azure',
    '/azure/',
    '/azure/Token',
    '/azure/token/',
    '/gcp/files',
    '/gcp/files/subject-token/',
    '/gcp/files/subject-token?x=1',
    '/gcp//subject-token',
    '/v1/credentials',
    '/v1/sessions',
    '/livez',
  ])('there is nothing at %s', async (path) => {
    const { open, get, broker } = await startEndpoints();
    const { secret } = await open();
    const headers = {
      Authorization: path.startsWith('/gcp') ? `Bearer ${secret}` : secret,
      'X-IDENTITY-HEADER': secret,
    };
    const answer = await get(path, headers);
    expect({ status: answer.status, code: codeOf(answer) }).toEqual({
      status: path.startsWith('/azure/') ? 400 : 404,
      code: 'not_found',
    });
    expect(broker.asked).toEqual([]);
  });

  test.each(['POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'TRACE'])('%s is refused', async (method) => {
    const { open, url, broker } = await startEndpoints();
    const { secret } = await open();
    const answer = await ask(url, { method, path: '/aws/models', headers: { Authorization: secret } });
    expect(answer).toMatchObject({ status: 405, headers: { allow: 'GET' } });
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    expect(broker.asked).toEqual([]);
  });
});

describe('the query of Azure', () => {
  test.each([
    ['no version', `resource=${STORAGE}`],
    ['the older version', `api-version=2017-09-01&resource=${STORAGE}`],
    ['no resource', AZURE_VERSION],
    ['an empty resource', `${AZURE_VERSION}&resource=`],
    ['names in another case', `API-VERSION=2019-08-01&Resource=${STORAGE}`],
    ['a resource twice', `${QUERY}&resource=${STORAGE}`],
    ['a resource twice, once in other letters', `${QUERY}&%72esource=${STORAGE}`],
    ['a version twice', `${AZURE_VERSION}&${QUERY}`],
    ['a client twice', `${QUERY}&client_id=${API_CLIENT}&client_id=${API_CLIENT}`],
    ['an unknown parameter twice', `${QUERY}&x=1&x=2`],
    ['an object ID', `${QUERY}&object_id=${API_CLIENT}`],
    ['a resource ID', `${QUERY}&mi_res_id=%2Fsubscriptions%2Fx`],
    ['semicolons', QUERY.replace('&', ';')],
  ])('%s is 400', async (_, query) => {
    const { open, azure, broker } = await startEndpoints();
    const { secret } = await open();
    const answer = await azure(secret, query);
    expect({ status: answer.status, code: codeOf(answer) }).toEqual({ status: 400, code: 'request_invalid' });
    expect(broker.asked).toEqual([]);
  });

  test('no such identity is 400 as well, and a wrong header 401', async () => {
    const { open, azure } = await startEndpoints();
    const { secret } = await open();
    const none = await azure(secret, `${AZURE_VERSION}&resource=https://nothing.example.org`);
    expect(none.status).toBe(400);
    expect(JSON.parse(none.text)).toEqual({
      statusCode: 400,
      message: 'policy_denied: component "api": it has no azure grant for "https://nothing.example.org"',
    });
    expect((await azure('wrong', QUERY)).status).toBe(401);
  });
});
