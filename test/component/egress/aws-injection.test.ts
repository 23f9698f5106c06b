import { describe, expect, test } from 'vitest';
import { createFakeClock } from '../../fakes/clock.ts';
import { createCertificate } from '../../support/certificates.ts';
import { bodyOf, type EgressWorld, fields, openEgressWorld } from '../../support/egress.ts';
import { type FarSide, startFarSide } from '../../support/far-side.ts';
import { expectNoSecrets } from '../../support/secrets.ts';
import { sigv4Problem } from '../../support/verify-sigv4.ts';

/** What the fake broker hands out. */
const KEY = {
  accessKeyId: 'ASIAEXAMPLEEXAMPLE00',
  secretAccessKey: 'the-secret-access-key',
  sessionToken: 'the-session-token',
  region: 'us-east-1',
  service: 'bedrock',
};

const AWS = "aws: { roleArn: 'arn:aws:iam::111122223333:role/models', region: us-east-1, duration: 15m }";

interface Injecting {
  readonly farSide: FarSide;
  readonly world: EgressWorld;
  readonly authority: string;
}

async function injecting(service = 'bedrock'): Promise<Injecting> {
  const farSide = await startFarSide();
  const inject = `inject: { scheme: http, host: 127.0.0.1, port: ${farSide.port}, service: ${service} }`;
  const world = openEgressWorld({ policy: `grants: { models: { ${AWS}, ${inject} } }` });
  return { farSide, world, authority: `127.0.0.1:${farSide.port}` };
}

function problemOf({ arrived: [first] }: FarSide, service = 'bedrock'): string | undefined {
  return first === undefined ? 'nothing arrived' : sigv4Problem(first, { ...KEY, service });
}

function namesOf({ arrived: [first] }: FarSide): string[] {
  return (first?.headers ?? []).map(([name]) => name.toLowerCase());
}

describe('a request to the target of an AWS grant is signed', () => {
  test('without a body', async () => {
    const { farSide, world, authority } = await injecting();
    expect(await world.send({ authority, pathWithQuery: '/model' })).toMatchObject({ status: 200, text: 'hello' });
    expect(problemOf(farSide)).toBeUndefined();
    expect(world.broker.asked).toEqual([{ caller: { component: 'api' }, injected: 'models' }]);
  });

  test('at the time when its body is there, and if the policy still says so then', async () => {
    const farSide = await startFarSide();
    const grants = `grants: { models: { ${AWS}, inject: { scheme: http, host: 127.0.0.1, port: ${farSide.port}, service: bedrock } } }`;
    const clock = createFakeClock();
    const world = openEgressWorld({ policy: grants, clock });
    let meanwhile = (): unknown => clock.advance(600_000);
    async function* body(): AsyncGenerator<Uint8Array, void> {
      yield Buffer.from('a');
      await meanwhile();
      yield Buffer.from('b');
    }
    const request = { authority: `127.0.0.1:${farSide.port}`, method: 'PUT' } as const;
    await world.send({ ...request, body: body() });
    expect(farSide.arrived[0]?.headers).toContainEqual(['x-amz-date', '20261122T121000Z']);

    meanwhile = () => world.setPolicy(`egress: ['http://${request.authority}']`);
    expect(await world.refusal({ ...request, body: body() })).toEqual({ tag: 'HTTP-request-denied' });
    expect(farSide.connections).toBe(1);
  });

  test('with a body and headers, those of the service too', async () => {
    const { farSide, world, authority } = await injecting();
    await world.send({
      authority,
      method: 'POST',
      pathWithQuery: '/model/a/invoke',
      headers: fields(
        ['Content-Type', 'application/json'],
        ['X-Amz-Target', 'A.B'],
        ['X-Own', 'c'],
        ['x-amz-meta-a', 'caf\xc3\xa9'],
      ),
      body: bodyOf('{"a":', '"ä"}'),
    });
    expect(problemOf(farSide)).toBeUndefined();
    const [arrived] = farSide.arrived;
    expect(arrived).toMatchObject({ method: 'POST', url: '/model/a/invoke', body: '{"a":"ä"}' });
    expect(arrived?.headers).toContainEqual(['X-Own', 'c']);
    expect(arrived?.headers).toContainEqual(['Content-Length', '10']);
    expect(arrived?.headers.find(([name]) => name === 'authorization')?.[1]).toMatch(
      /SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-meta-a;x-amz-security-token;x-amz-target,/,
    );
  });

  test.each([
    ['/model/us.some.model-v1%3A0/invoke', '/model/us.some.model-v1%3A0/invoke'],
    ['/model/us.some.model-v1:0/invoke', '/model/us.some.model-v1:0/invoke'],
    ["/a(b)!*'/$&+,;=@~c", "/a(b)!*'/$&+,;=@~c"],
    ['/?b=2&a=1&a=0&c', '/?b=2&a=1&a=0&c'],
    ['/?q=a+b%20c%2Bd&r=%C3%A4/:(x)', '/?q=a%20b%20c%2Bd&r=%C3%A4%2F%3A%28x%29'],
    ['/?', '/'],
    ['/?&&a=1&', '/?a=1'],
    ['/?a=b=c', '/?a=b%3Dc'],
  ])('with the path %j, sent as %j', async (pathWithQuery, sent) => {
    const { farSide, world, authority } = await injecting();
    await world.send({ authority, pathWithQuery });
    expect(farSide.arrived[0]?.url).toBe(sent);
    expect(problemOf(farSide)).toBeUndefined();
  });

  test.each(['/bucket/a%20b%2Bc(d)/e:f', "/bucket//x/./y/'z'", '/bucket/%C3%A4?acl', '/bucket?list-type=2&prefix=a/b'])(
    'as S3 does, with the path %j',
    async (pathWithQuery) => {
      const { farSide, world, authority } = await injecting('s3');
      await world.send({ authority, pathWithQuery });
      expect(problemOf(farSide, 's3')).toBeUndefined();
    },
  );

  test('over TLS, for the service that the name tells, at the time of the clock', async () => {
    const host = 'bedrock-runtime.us-east-1.amazonaws.com';
    const certificate = createCertificate({ hosts: [host] });
    const farSide = await startFarSide({ certificate });
    const world = openEgressWorld({
      policy: `
egress: [{ url: 'https://${host}:${farSide.port}', addresses: [127.0.0.1/32] }]
grants: { models: { ${AWS}, inject: { host: ${host}, port: ${farSide.port} } } }`,
      names: { [host]: ['127.0.0.1'] },
      ca: certificate.cert,
      clock: createFakeClock(Date.parse('2026-11-22T12:00:00Z')),
    });
    await world.send({ scheme: 'https', authority: `${host}:${farSide.port}` });
    expect(problemOf(farSide)).toBeUndefined();
    expect(farSide.arrived[0]?.headers).toContainEqual(['x-amz-date', '20261122T120000Z']);
  });

  test('and whoever verifies sees a change', async () => {
    const { farSide, world, authority } = await injecting();
    await world.send({ authority, method: 'POST', headers: fields(['Content-Type', 'a/b']), body: bodyOf('hello') });
    const [arrived] = farSide.arrived;
    if (arrived === undefined) throw new Error('nothing arrived');
    const changed = [
      { ...arrived, body: 'hullo' },
      { ...arrived, url: '/other' },
      { ...arrived, url: '/?a' },
      { ...arrived, method: 'PUT' },
      { ...arrived, headers: [...arrived.headers, ['X-Amz-Other', 'a'] as const] },
      { ...arrived, headers: arrived.headers.map(([name, value]) => [name, value.replace('a/b', 'a/c')] as const) },
    ];
    expect(changed.map((request) => sigv4Problem(request, KEY)).filter((problem) => problem === undefined)).toEqual([]);
    expect(sigv4Problem(arrived, { ...KEY, region: 'us-west-2' })).toBeDefined();
  });
});

describe('what the component has put there itself', () => {
  test('in headers, however they are written, is removed', async () => {
    const { farSide, world, authority } = await injecting();
    const names = [
      'Authorization',
      'X-Amz-Date',
      'X-Amz-Security-Token',
      'X-Amz-Content-Sha256',
      'Date',
      'X-Amz-Region-Set',
    ];
    const headers = fields(
      ...names.flatMap((name) =>
        [name, name.toLowerCase(), name.toUpperCase()].map((written) => [written, 'THE-COMPONENTS-OWN'] as const),
      ),
    );
    await world.send({ authority, headers: [...headers, ...fields(['X-Own', 'kept'])] });
    expect(JSON.stringify(farSide.arrived)).not.toContain('THE-COMPONENTS-OWN');
    expect(namesOf(farSide)).toContain('x-own');
    for (const name of ['authorization', 'x-amz-date', 'x-amz-security-token', 'x-amz-content-sha256']) {
      expect(namesOf(farSide).filter((found) => found === name)).toEqual([name]);
    }
    expect(problemOf(farSide)).toBeUndefined();
  });

  test('in the query, however it is written, is removed', async () => {
    const { farSide, world, authority } = await injecting();
    const query = [
      'a=1',
      'X-Amz-Algorithm=OWN',
      'X-Amz-Credential=OWN',
      'X-Amz-Date=OWN',
      'X-Amz-Expires=OWN',
      'X-Amz-SignedHeaders=OWN',
      'X-Amz-Signature=OWN',
      'X-Amz-Security-Token=OWN',
      'x-amz-signature=OWN',
      'X-AMZ-SIGNATURE=OWN',
      'X%2DAmz%2dSignature=OWN',
      '%58-amz-signatur%65=OWN',
      'X-Amz-Signature',
      'AWSAccessKeyId=OWN',
      'b=2',
    ];
    await world.send({ authority, pathWithQuery: `/p?${query.join('&')}` });
    expect(farSide.arrived[0]?.url).toBe('/p?a=1&b=2');
    expect(problemOf(farSide)).toBeUndefined();
  });

  test('a hash that is not that of the body is of no use', async () => {
    const { farSide, world, authority } = await injecting();
    const headers = fields(['x-amz-content-sha256', 'UNSIGNED-PAYLOAD']);
    await world.send({ authority, method: 'POST', headers, body: bodyOf('hello') });
    expect(problemOf(farSide)).toBeUndefined();
  });
});

describe('bodies that are signed', () => {
  const MAX = 16 * 1024 * 1024;
  async function* zeros(size: number): AsyncGenerator<Uint8Array, void> {
    for (let left = size; left > 0; left -= 1024 * 1024) yield Buffer.alloc(Math.min(left, 1024 * 1024), '0');
  }

  test('may have 16 MiB', async () => {
    const { farSide, world, authority } = await injecting();
    await world.send({ authority, method: 'POST', body: zeros(MAX) });
    expect(farSide.arrived[0]?.body.length).toBe(MAX);
    expect(problemOf(farSide)).toBeUndefined();
  });

  test('and not more', async () => {
    const { farSide, world, authority } = await injecting();
    const refusal = { tag: 'HTTP-request-body-size', val: BigInt(MAX) };
    expect(await world.refusal({ authority, method: 'POST', body: zeros(MAX + 1) })).toEqual(refusal);
    const headers = fields(['Content-Length', String(MAX + 1)]);
    const unread = new Error('nobody is to read this');
    async function* never(): AsyncGenerator<Uint8Array, void> {
      yield await Promise.reject(unread);
    }
    expect(await world.refusal({ authority, method: 'POST', headers, body: never() })).toEqual(refusal);
    expect(farSide.connections).toBe(0);
  });

  test('have the length that is said', async () => {
    const { farSide, world, authority } = await injecting();
    const headers = fields(['Content-Length', '3']);
    for (const [text, val] of [
      ['hello', 5n],
      ['hi', 2n],
    ] as const) {
      const refusal = await world.refusal({ authority, method: 'POST', headers, body: bodyOf(text) });
      expect(refusal).toEqual({ tag: 'HTTP-request-body-size', val });
    }
    expect(farSide.connections).toBe(0);
  });

  test('have no trailers', async () => {
    const { farSide, world, authority } = await injecting();
    const request = { authority, method: 'POST', body: bodyOf('a'), trailers: async () => fields(['X-A', 'b']) };
    expect(await world.refusal(request)).toEqual({ tag: 'HTTP-request-trailer-section-size', val: 0 });
    expect(farSide.arrived).toEqual([]);
  });

  test('take their room from the component, which gets it back', async () => {
    const { farSide, world, authority } = await injecting();
    const abort = new AbortController();
    async function* hanging(): AsyncGenerator<Uint8Array, void> {
      yield* zeros(MAX);
      await new Promise(() => {});
    }
    const reason = new Error('enough');
    const held = Array.from({ length: 4 }, () =>
      expect(world.open({ authority, method: 'POST', body: hanging() }, abort.signal)).rejects.toBe(reason),
    );
    // Whoever comes later is served later: the four have read all that they hold.
    await new Promise((resolve) => setImmediate(resolve));
    const another = { authority, method: 'POST' };
    expect(await world.refusal({ ...another, body: bodyOf('a') })).toEqual({ tag: 'connection-limit-reached' });
    abort.abort(reason);
    await Promise.all(held);
    expect(await world.send({ ...another, body: bodyOf('a') })).toMatchObject({ status: 200 });
    expect(farSide.arrived).toHaveLength(1);
  });

  test('that the component does not end are given up with its request', async () => {
    const { farSide, world, authority } = await injecting();
    const reason = new Error('the component is gone');
    const abort = new AbortController();
    async function* hanging(): AsyncGenerator<Uint8Array, void> {
      yield Buffer.from('a');
      abort.abort(reason);
      await new Promise(() => {});
    }
    await expect(world.open({ authority, method: 'POST', body: hanging() }, abort.signal)).rejects.toBe(reason);
    expect(farSide.connections).toBe(0);
  });
});

test('a query that cannot be read cannot be signed', async () => {
  const { farSide, world, authority } = await injecting();
  for (const pathWithQuery of ['/?a=%', '/?a=%zz', '/?%ff=a']) {
    expect(await world.refusal({ authority, pathWithQuery })).toEqual({ tag: 'HTTP-request-URI-invalid' });
  }
  expect(farSide.connections).toBe(0);
});

test('a host that does not tell its service needs one in the policy', async () => {
  const farSide = await startFarSide();
  const inject = `inject: { scheme: http, host: 127.0.0.1, port: ${farSide.port} }`;
  const world = openEgressWorld({ policy: `grants: { models: { ${AWS}, ${inject} } }` });
  const refusal = await world.refusal({ authority: `127.0.0.1:${farSide.port}` });
  expect(refusal).toEqual({ tag: 'configuration-error' });
  expect(farSide.connections).toBe(0);
});

test('neither log nor errors have the credentials in them', async () => {
  const { farSide, world, authority } = await injecting();
  farSide.answer = (_, response) => void response.destroy();
  expect(await world.refusal({ authority })).toEqual({ tag: 'connection-terminated' });
  expect(farSide.arrived).toHaveLength(1);
  expect(world.log.lines.length).toBeGreaterThan(0);
  expectNoSecrets(world.log.lines, [KEY.secretAccessKey, KEY.sessionToken, KEY.accessKeyId]);
});
