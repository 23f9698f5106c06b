import { describe, expect, test } from 'vitest';
import { fields, openEgressWorld } from '../../support/egress.ts';
import { startFarSide } from '../../support/far-side.ts';
import { expectNoSecrets } from '../../support/secrets.ts';

const DENIED = { tag: 'HTTP-request-denied' };

function rule(url: string): string {
  return `egress: [{ url: '${url}', addresses: [127.0.0.0/8] }]`;
}

describe('what the policy grants', () => {
  test('is sent, exactly there', async () => {
    const farSide = await startFarSide();
    const world = openEgressWorld({
      policy: rule(`http://api.test:${farSide.port}`),
      names: { 'api.test': ['127.0.0.1'] },
    });
    const answer = await world.send({ authority: `api.test:${farSide.port}`, pathWithQuery: '/a/b?c=d' });
    expect(answer).toMatchObject({ status: 200, text: 'hello' });
    expect(farSide.arrived).toMatchObject([{ method: 'GET', url: '/a/b?c=d' }]);
    expect(farSide.arrived[0]?.headers).toEqual([
      ['Host', `api.test:${farSide.port}`],
      ['Connection', 'close'],
    ]);
  });

  test('a host is the same in any case', async () => {
    const farSide = await startFarSide();
    const world = openEgressWorld({
      policy: rule(`http://api.test:${farSide.port}`),
      names: { 'api.test': ['127.0.0.1'] },
    });
    await world.send({ authority: `API.Test:${farSide.port}` });
    expect(world.lookups).toEqual(['api.test']);
    expect(farSide.arrived[0]?.headers).toContainEqual(['Host', `api.test:${farSide.port}`]);
  });

  test('an address that is written into the policy is granted as it is, and no other', async () => {
    const farSide = await startFarSide();
    const other = await startFarSide({ host: '127.0.0.2', port: farSide.port });
    const world = openEgressWorld({ policy: `egress: ['http://127.0.0.1:${farSide.port}']` });
    await world.send({ authority: `127.0.0.1:${farSide.port}` });
    expect(await world.refusal({ authority: `127.0.0.2:${farSide.port}` })).toEqual(DENIED);
    expect([farSide.connections, other.connections]).toEqual([1, 0]);
    expect(world.lookups).toEqual([]);
  });
});

describe('what the policy does not grant', () => {
  test.each([
    ['no rule at all', '', {}],
    ['another scheme', 'https://api.test:PORT', {}],
    ['another host', 'http://other.test:PORT', {}],
    ['a host above it', 'http://test:PORT', {}],
    ['a host below it', 'http://v1.api.test:PORT', {}],
    [
      'the same name with a dot at its end',
      'http://api.test:PORT',
      { authority: 'api.test.:PORT' },
      'HTTP-request-URI-invalid',
    ],
    ['another port', 'http://api.test:PORT', { authority: 'api.test:1' }],
    ['the port of the scheme', 'http://api.test:PORT', { authority: 'api.test' }],
    ['another path', 'http://api.test:PORT/v1/', { pathWithQuery: '/v2/' }],
    ['a path that begins alike', 'http://api.test:PORT/v1/', { pathWithQuery: '/v1x' }],
    ['a path below one that is exact', 'http://api.test:PORT/v1', { pathWithQuery: '/v1/a' }],
    ['a path that climbs', 'http://api.test:PORT/v1/', { pathWithQuery: '/v1/../admin' }],
    ['a path that climbs encoded', 'http://api.test:PORT/v1/', { pathWithQuery: '/v1/%2e%2E/admin' }],
    ['a path that climbs by an encoded slash', 'http://api.test:PORT/v1/', { pathWithQuery: '/v1/..%2fadmin' }],
    ['a path that climbs encoded twice', 'http://api.test:PORT/v1/', { pathWithQuery: '/v1/%252e%252e/admin' }],
    ['a path that climbs before a semicolon', 'http://api.test:PORT/v1/', { pathWithQuery: '/v1/..;/admin' }],
    ['an IPv4-mapped literal of what is granted', 'http://127.0.0.1:PORT', { authority: '[::ffff:127.0.0.1]:PORT' }],
    ['the same, in hexadecimal', 'http://127.0.0.1:PORT', { authority: '[::ffff:7f00:1]:PORT' }],
    ['a number for an address', 'http://127.0.0.1:PORT', { authority: '2130706433:PORT' }, 'HTTP-request-URI-invalid'],
    ['a short address', 'http://127.0.0.1:PORT', { authority: '127.1:PORT' }, 'HTTP-request-URI-invalid'],
    ['an octal address', 'http://127.0.0.1:PORT', { authority: '0177.0.0.1:PORT' }, 'HTTP-request-URI-invalid'],
  ])('%s', async (_, url, request, tag = 'HTTP-request-denied') => {
    const farSide = await startFarSide();
    const withPort = (text: string): string => text.replace('PORT', String(farSide.port));
    const policy = url === '' ? '' : url.includes('127.0.0.1') ? `egress: ['${withPort(url)}']` : rule(withPort(url));
    const world = openEgressWorld({ policy, names: { 'api.test': ['127.0.0.1'] } });
    const asked = { authority: 'api.test:PORT', ...request };
    expect(await world.refusal({ ...asked, authority: withPort(asked.authority) })).toEqual({ tag });
    expect([farSide.connections, world.lookups]).toEqual([0, []]);
  });

  test('a component without a policy, and one with other bytes', async () => {
    const farSide = await startFarSide();
    const names = { 'api.test': ['127.0.0.1'] };
    const url = `http://api.test:${farSide.port}`;
    const world = openEgressWorld({ policy: `${rule(url)}\ndigest: sha256:${'0'.repeat(64)}`, names });
    const authority = `api.test:${farSide.port}`;
    expect(await world.refusal({ authority })).toEqual(DENIED);
    world.setPolicy(rule(url));
    await expect(world.open({ authority }, undefined, 'another')).rejects.toMatchObject({ errorCode: DENIED });
    expect(farSide.connections).toBe(0);
    await world.send({ authority });
  });
});

test('the policy in force is asked for each request', async () => {
  const farSide = await startFarSide();
  const granted = rule(`http://api.test:${farSide.port}`);
  const world = openEgressWorld({ policy: granted, names: { 'api.test': ['127.0.0.1'] } });
  const request = { authority: `api.test:${farSide.port}` };
  await world.send(request);
  world.setPolicy('');
  expect(await world.refusal(request)).toEqual(DENIED);
  expect(farSide.connections).toBe(1);
  world.setPolicy(granted);
  await world.send(request);
  expect(farSide.connections).toBe(2);
});

test('a redirect is an answer, and where it leads is asked for again', async () => {
  const target = await startFarSide();
  const farSide = await startFarSide();
  farSide.answer = (_, response) =>
    void response.writeHead(302, { Location: `http://api.test:${target.port}/secret` }).end('moved');
  const world = openEgressWorld({
    policy: rule(`http://api.test:${farSide.port}`),
    names: { 'api.test': ['127.0.0.1'] },
  });
  const answer = await world.send({ authority: `api.test:${farSide.port}` });
  expect(answer).toMatchObject({ status: 302, text: 'moved' });
  const [, location = ''] = answer.headers.find(([name]) => name === 'location') ?? [];
  const { host, pathname } = new URL(location);
  expect(await world.refusal({ authority: host, pathWithQuery: pathname })).toEqual(DENIED);
  expect(target.connections).toBe(0);
});

test('the log says why, without path, query, headers or credentials in the authority', async () => {
  const world = openEgressWorld();
  const request = { pathWithQuery: '/path-secret?query-secret', headers: fields(['X-Key', 'header-secret']) };
  await world.refusal({ ...request, authority: 'api.test:8443' });
  await world.refusal({ ...request, authority: 'user:password-secret@api.test' });
  expect(world.log.entries().filter(({ event }) => event === 'egress.failed')).toMatchObject([
    {
      component: 'api',
      host: 'api.test',
      port: 8443,
      code: 'HTTP-request-denied',
      reason: expect.stringMatching(/no egress rule/),
    },
    { component: 'api', code: 'HTTP-request-URI-invalid' },
  ]);
  expectNoSecrets(world.log.lines, ['path-secret', 'query-secret', 'header-secret', 'password-secret']);
});

describe('a header that some servers take the path from', () => {
  test.each(['X-Original-URL', 'x-rewrite-url', 'X-Override-Url', 'X_Original_URL', 'x_REWRITE-url'])(
    '%s is sent where all paths are granted, and nowhere else',
    async (name) => {
      const farSide = await startFarSide();
      const origin = `http://127.0.0.1:${farSide.port}`;
      const request = {
        authority: `127.0.0.1:${farSide.port}`,
        pathWithQuery: '/v1/a',
        headers: fields([name, '/admin']),
      };
      for (const path of ['/v1/', '/v1/a']) {
        const world = openEgressWorld({ policy: `egress: ['${origin}${path}', '${origin}/admin']` });
        expect(await world.refusal(request)).toEqual(DENIED);
        await world.send({ ...request, headers: fields(['X-Original', '/admin']) });
      }
      expect(farSide.connections).toBe(2);
      await openEgressWorld({ policy: `egress: ['${origin}', '${origin}/v1/']` }).send(request);
      expect(farSide.arrived[2]?.headers).toContainEqual([name, '/admin']);
    },
  );
});
