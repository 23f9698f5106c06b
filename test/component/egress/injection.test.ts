import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { SvidxError } from '../../../src/base/errors.ts';
import { Secret } from '../../../src/base/secret.ts';
import { checkRequest } from '../../../src/component/egress/checked-request.ts';
import { checkInjectable } from '../../../src/component/egress/injection.ts';
import type { Credentials } from '../../../src/credentials/credentials.ts';
import { EXPIRY_SECONDS, FAKE_ACCESS_TOKEN, FAKE_CREDENTIALS } from '../../fakes/broker.ts';
import { boundAccessToken } from '../../fakes/other-credentials.ts';
import { createCertificate } from '../../support/certificates.ts';
import { bodyOf, type EgressWorld, fields, openEgressWorld, PLAIN_REQUEST } from '../../support/egress.ts';
import { type FarSide, startFarSide, startRawFarSide } from '../../support/far-side.ts';
import { expectNoSecrets } from '../../support/secrets.ts';

const AZURE =
  'azure: { tenantId: 11111111-1111-4111-8111-111111111111, clientId: 22222222-2222-4222-8222-222222222222, scope: https://storage.example/.default }';

const TOKEN = 'the-access-token-of-entra';

const VAULT_TOKEN: Credentials = {
  kind: 'vault',
  token: new Secret('hvs.the-token-of-vault'),
  expiresAt: EXPIRY_SECONDS * 1000,
  address: 'https://vault.example',
  namespace: 'team',
  renewable: false,
};

interface Injecting<F = FarSide> {
  readonly farSide: F;
  readonly world: EgressWorld;
  readonly authority: string;
}

/** What the broker gives decides how it is injected; the grant in the policy is one that says where. */
function facing<F extends { readonly port: number }>(farSide: F, give: Credentials = FAKE_ACCESS_TOKEN): Injecting<F> {
  const inject = `inject: { scheme: http, host: 127.0.0.1, port: ${farSide.port} }`;
  const world = openEgressWorld({ policy: `grants: { blobs: { ${AZURE}, ${inject} } }` });
  world.broker.give = give;
  return { farSide, world, authority: `127.0.0.1:${farSide.port}` };
}

async function injecting(give?: Credentials): Promise<Injecting> {
  return facing(await startFarSide(), give);
}

function valuesOf({ arrived: [first] }: FarSide, name: string): string[] {
  return (first?.headers ?? []).filter(([found]) => found.toLowerCase() === name).map(([, value]) => value);
}

describe('an access token', () => {
  test('is added, and the component`s own is removed, however it is written', async () => {
    const { farSide, world, authority } = await injecting();
    await world.send({
      authority,
      pathWithQuery: '/a?x=1&access_token=OWN&ACCESS_TOKEN=OWN&access%5ftoken=OWN&y=+%20',
      headers: fields(
        ['Authorization', 'OWN'],
        ['authorization', 'OWN'],
        ['AUTHORIZATION', 'Basic OWN'],
        ['DPoP', 'OWN'],
        ['X-Own', 'a'],
      ),
    });
    expect(valuesOf(farSide, 'authorization')).toEqual([`Bearer ${TOKEN}`]);
    expect(valuesOf(farSide, 'x-own')).toEqual(['a']);
    expect(farSide.arrived[0]?.url).toBe('/a?x=1&y=+%20');
    expect(JSON.stringify(farSide.arrived)).not.toContain('OWN');
    expect(world.broker.asked).toEqual([{ caller: { component: 'api' }, injected: 'blobs' }]);
  });

  test('is added to a request with a body that goes on, with trailers', async () => {
    const { farSide, world, authority } = await injecting();
    const trailers = async () => fields(['X-Sum', 'a']);
    await world.send({ authority, method: 'PUT', body: bodyOf('hello', 'world'), trailers });
    expect(farSide.arrived).toMatchObject([{ method: 'PUT', body: 'helloworld', trailers: [['X-Sum', 'a']] }]);
    expect(valuesOf(farSide, 'authorization')).toEqual([`Bearer ${TOKEN}`]);
  });

  test('that is bound to a key is not injected', async () => {
    const { farSide, world, authority } = await injecting();
    world.broker.give = boundAccessToken();
    expect(await world.refusal({ authority })).toEqual({ tag: 'configuration-error' });
    expect(farSide.connections).toBe(0);
  });
});

describe('a token of Vault', () => {
  test('is added with its namespace, and the component`s own is removed, in both headers', async () => {
    const { farSide, world, authority } = await injecting(VAULT_TOKEN);
    const headers = fields(['X-Vault-Token', 'OWN'], ['x-vault-token', 'OWN'], ['Authorization', 'Bearer OWN']);
    await world.send({ authority, headers });
    expect(valuesOf(farSide, 'x-vault-token')).toEqual(['hvs.the-token-of-vault']);
    expect(valuesOf(farSide, 'x-vault-namespace')).toEqual(['team']);
    expect(valuesOf(farSide, 'authorization')).toEqual([]);
    expect(JSON.stringify(farSide.arrived)).not.toContain('OWN');
  });

  test('is removed with underscores for dashes too', async () => {
    const { farSide, world, authority } = await injecting(VAULT_TOKEN);
    await world.send({
      authority,
      headers: fields(['X_Vault_Token', 'OWN'], ['x-vault_TOKEN', 'OWN'], ['X_Own', 'a']),
    });
    expect(valuesOf(farSide, 'x-vault-token')).toEqual(['hvs.the-token-of-vault']);
    expect(valuesOf(farSide, 'x_own')).toEqual(['a']);
    expect(JSON.stringify(farSide.arrived)).not.toContain('OWN');
  });

  test.each(['X-Vault-Wrap-TTL', 'x-vault-wrap-ttl', 'X_Vault_Wrap_TTL', 'X-Vault-Wrap-Format'])(
    'is not sent with %s: the answer could be the token, wrapped for somebody else',
    async (name) => {
      const { farSide, world, authority } = await injecting(VAULT_TOKEN);
      const pathWithQuery = '/v1/auth/token/lookup-self';
      expect(await world.refusal({ authority, pathWithQuery, headers: fields([name, '60']) })).toEqual({
        tag: 'HTTP-request-denied',
      });
      expect(farSide.connections).toBe(0);
    },
  );

  test('leaves a namespace that the component has chosen', async () => {
    const { farSide, world, authority } = await injecting(VAULT_TOKEN);
    await world.send({ authority, headers: fields(['X-Vault-Namespace', 'team/below']) });
    expect(valuesOf(farSide, 'x-vault-namespace')).toEqual(['team/below']);
  });

  test('may be of no namespace', async () => {
    const { farSide, world, authority } = await injecting({ ...VAULT_TOKEN, namespace: undefined });
    await world.send({ authority });
    expect(valuesOf(farSide, 'x-vault-namespace')).toEqual([]);
  });
});

describe('credentials are for exactly one scheme, host and port', () => {
  const certificate = createCertificate({ hosts: ['blobs.test', 'v1.blobs.test', 'other.test'] });

  async function besideAnother(): Promise<Injecting & { other: FarSide; plain: FarSide }> {
    const [farSide, other, plain] = [
      await startFarSide({ certificate }),
      await startFarSide({ certificate }),
      await startFarSide(),
    ];
    const granted = [
      ...['blobs.test', 'v1.blobs.test', 'other.test'].flatMap((host) => [
        `https://${host}:${farSide.port}`,
        `https://${host}:${other.port}`,
      ]),
      `http://blobs.test:${plain.port}`,
      `http://blobs.test:${farSide.port}`,
    ];
    const world = openEgressWorld({
      policy: `
egress: [${granted.map((url) => `{ url: '${url}', addresses: [127.0.0.1/32] }`).join(', ')}]
grants: { blobs: { ${AZURE}, inject: { host: blobs.test, port: ${farSide.port} } } }`,
      names: { 'blobs.test': ['127.0.0.1'], 'v1.blobs.test': ['127.0.0.1'], 'other.test': ['127.0.0.1'] },
      ca: certificate.cert,
    });
    world.broker.give = FAKE_ACCESS_TOKEN;
    return { farSide, other, plain, world, authority: `blobs.test:${farSide.port}` };
  }

  test('there they are added, whatever the path, and however the host is written', async () => {
    const { farSide, world, authority } = await besideAnother();
    await world.send({ scheme: 'https', authority: authority.toUpperCase(), pathWithQuery: '/any/path' });
    expect(valuesOf(farSide, 'authorization')).toEqual([`Bearer ${TOKEN}`]);
  });

  test.each([
    ['a host below', 'https', 'v1.blobs.test:PORT'],
    ['another host', 'https', 'other.test:PORT'],
    ['another port', 'https', 'blobs.test:OTHER'],
    ['another scheme', 'http', 'blobs.test:PLAIN'],
  ] as const)('%s gets what the component sends, and nobody is asked for credentials', async (_, scheme, written) => {
    const { farSide, other, plain, world } = await besideAnother();
    const authority = written
      .replace('PORT', String(farSide.port))
      .replace('OTHER', String(other.port))
      .replace('PLAIN', String(plain.port));
    await world.send({ scheme, authority, headers: fields(['Authorization', 'OWN']) });
    const arrived = [farSide, other, plain].flatMap((side) => side.arrived);
    expect(arrived.map(({ headers }) => headers.filter(([name]) => name === 'Authorization'))).toEqual([
      [['Authorization', 'OWN']],
    ]);
    expect(world.broker.asked).toEqual([]);
  });

  test('the same host and port without TLS gets no credentials', async () => {
    const { farSide, world, authority } = await besideAnother();
    await world.refusal({ scheme: 'http', authority });
    expect(world.broker.asked).toEqual([]);
    expect(farSide.arrived).toEqual([]);
  });

  test('the same address and port without TLS gets none, where only TLS was meant', async () => {
    const plain = await startFarSide();
    const authority = `127.0.0.1:${plain.port}`;
    const world = openEgressWorld({
      policy: `
egress: ['http://${authority}']
grants: { blobs: { ${AZURE}, inject: { host: 127.0.0.1, port: ${plain.port} } } }`,
    });
    await world.send({ authority });
    expect(valuesOf(plain, 'authorization')).toEqual([]);
    expect(world.broker.asked).toEqual([]);
  });

  test('a far side that is not who its name says gets none', async () => {
    const { world, authority, farSide } = await besideAnother();
    const impostor = await startFarSide({
      certificate: createCertificate({ hosts: ['blobs.test'] }),
      host: '127.0.0.2',
      port: farSide.port,
    });
    world.setPolicy(`
egress: [{ url: 'https://${authority}', addresses: [127.0.0.0/8] }]
grants: { blobs: { ${AZURE}, inject: { host: blobs.test, port: ${farSide.port} } } }`);
    world.names['blobs.test'] = ['127.0.0.2'];
    expect(await world.refusal({ scheme: 'https', authority })).toEqual({ tag: 'TLS-certificate-error' });
    expect(impostor.connections).toBe(1);
    expect(impostor.arrived).toEqual([]);
  });

  test('a redirect is an answer: where it leads gets none', async () => {
    const { farSide, other, world, authority } = await besideAnother();
    farSide.answer = (_, response) =>
      void response.writeHead(307, { Location: `https://blobs.test:${other.port}/` }).end();
    expect(await world.send({ scheme: 'https', authority })).toMatchObject({ status: 307 });
    expect(other.connections).toBe(0);
  });

  test('the target may be on loopback only if the policy says so: its name alone does not say it', async () => {
    const { farSide, world, authority } = await besideAnother();
    world.setPolicy(`grants: { blobs: { ${AZURE}, inject: { host: blobs.test, port: ${farSide.port} } } }`);
    expect(await world.refusal({ scheme: 'https', authority })).toEqual({ tag: 'destination-IP-prohibited' });
    expect(farSide.connections).toBe(0);
  });
});

describe('credentials are not added', () => {
  test.each(['TRACE', 'trace'])('to %s, whose answer is the request', async (method) => {
    const { farSide, world, authority } = await injecting();
    expect(await world.refusal({ authority, method })).toEqual({ tag: 'HTTP-request-denied' });
    expect(farSide.connections).toBe(0);
    expect(world.broker.asked).toEqual([]);
  });

  test.each([
    ['http', 'blobs.test', 'configuration-error'],
    ['http', 'localhost', 'configuration-error'],
    ['http', '10.0.0.1', 'configuration-error'],
    ['http', '127.0.0.1', undefined],
    ['http', '[::1]', undefined],
    ['https', 'blobs.test', undefined],
  ] as const)('over %s to %s: %s', (scheme, authority, tag) => {
    const check = () => checkInjectable(checkRequest({ ...PLAIN_REQUEST, scheme, authority }));
    if (tag === undefined) expect(check).not.toThrow();
    else expect(check).toThrow(expect.objectContaining({ errorCode: { tag } }));
  });

  test('once the policy does not say so any more', async () => {
    const { farSide, world, authority } = await injecting();
    await world.send({ authority });
    world.setPolicy(`egress: ['http://${authority}']`);
    await world.send({ authority });
    expect(farSide.arrived[1]?.headers.map(([name]) => name)).not.toContain('Authorization');
    world.setPolicy('');
    expect(await world.refusal({ authority })).toEqual({ tag: 'HTTP-request-denied' });
    expect(farSide.connections).toBe(2);
  });

  test.each([
    ['to another place', 'grants: { blobs: { AZURE, inject: { host: other.test } } }'],
    [
      'by another grant',
      'grants: { other: { AZURE, inject: { scheme: http, host: 127.0.0.1, port: PORT } }, blobs: { AZURE, inject: { host: other.test } } }',
    ],
    ['nowhere, though requests may still be sent', "egress: ['http://127.0.0.1:PORT']"],
    ['nowhere', ''],
  ])('that were on their way when the policy came to inject them %s', async (_, policy) => {
    const { farSide, world, authority } = await injecting();
    let arrive = (): void => {};
    world.broker.gate = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    const refusal = world.refusal({ authority });
    await world.broker.waitForAsked(1);
    world.setPolicy(policy.replaceAll('AZURE', AZURE).replaceAll('PORT', String(farSide.port)));
    arrive();
    expect(await refusal).toEqual({ tag: 'HTTP-request-denied' });
    expect(farSide.connections).toBe(0);
  });

  test.each([
    [new SvidxError('policy_denied', 'not granted', { detail: 'DETAIL' }), { tag: 'HTTP-request-denied' }],
    [
      new SvidxError('exchange_denied', 'the trust policy refuses it', { detail: 'DETAIL' }),
      { tag: 'internal-error', val: 'exchange_denied: the trust policy refuses it' },
    ],
    [
      new SvidxError('identity_unavailable', 'no agent', { detail: 'DETAIL' }),
      { tag: 'internal-error', val: 'identity_unavailable: no agent' },
    ],
    [new Error('/run/spire/agent.sock'), { tag: 'internal-error', val: undefined }],
  ])('when the broker says %s', async (failure, errorCode) => {
    const { farSide, world, authority } = await injecting();
    world.broker.failure = failure;
    expect(await world.refusal({ authority })).toEqual(errorCode);
    expect(farSide.connections).toBe(0);
  });
});

describe('a far side that shows the request', () => {
  const ECHO = { tag: 'internal-error', val: 'the answer has the injected credentials in it' };
  const SESSION: Credentials = {
    ...FAKE_CREDENTIALS,
    kind: 'oauth',
    tokenType: 'Bearer',
    token: new Secret('a+b/c=the/secret+token=='),
  };

  test.each([
    ['in a header', (token: string) => `HTTP/1.1 200 OK\r\nX-Seen: Bearer ${token}\r\nContent-Length: 0\r\n\r\n`],
    ['in the name of a header', (token: string) => `HTTP/1.1 200 OK\r\nX-${token}: a\r\nContent-Length: 0\r\n\r\n`],
    ['in a redirect', (token: string) => `HTTP/1.1 302 Found\r\nLocation: /?t=${token}\r\nContent-Length: 0\r\n\r\n`],
    ['in its body', (token: string) => `HTTP/1.1 200 OK\r\n\r\n<p>Authorization: Bearer ${token}</p>`],
    ['in chunks, cut in the middle', (token: string) => chunked('seen: ', ...(token.match(/.{1,3}/g) ?? []), ' end')],
    ['in chunks, after what may have been its beginning', () => chunked('at the-acc', 'ess-token-of-entra')],
    [
      'in a trailer',
      (token: string) => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Seen: ${token}\r\n\r\n`,
    ],
  ])('%s is not heard', async (_, bytes) => {
    const farSide = await startRawFarSide((socket) => void socket.end(bytes(TOKEN)));
    const { world, authority } = facing(farSide);
    expect(await world.refusal({ authority })).toEqual(ECHO);
    expect(farSide.received).toContain(TOKEN);
    await farSide.closed;
    expectNoSecrets(world.log.lines, [TOKEN]);
  });

  test.each([
    ['as it is', (token: string) => token],
    ['percent-encoded', (token: string) => encodeURIComponent(token)],
    ['in JSON with escaped slashes', (token: string) => token.replaceAll('/', '\\/')],
    ['in JSON with escaped plus signs', (token: string) => token.replaceAll('+', '\\u002B')],
  ])('%s is not heard', async (_, write) => {
    const { farSide, world, authority } = await injecting(SESSION);
    farSide.answer = (_request, response) => void response.end(`{"t":"${write('a+b/c=the/secret+token==')}"}`);
    expect(await world.refusal({ authority })).toEqual(ECHO);
  });

  test.each([TOKEN, `gzip, ${TOKEN}`, `gzip;q=${TOKEN}`])(
    'as a transfer coding is not repeated: %s',
    async (coding) => {
      const head = `HTTP/1.1 200 OK\r\nTransfer-Encoding: ${coding}\r\n\r\n`;
      const { world, authority } = facing(await startRawFarSide((socket) => void socket.end(head)));
      const refusal = await world.refusal({ authority });
      expect(refusal).toEqual({ tag: 'HTTP-response-transfer-coding', val: 'unregistered' });
      expectNoSecrets(world.log.lines, [TOKEN]);
    },
  );

  const LONG = 'IQoJb3JpZ2lu/X2VjEJv+wEaCXVzLWVhc3QtMSJHMEUCIQD/q==';

  test.each<[string, (token: string) => string | Buffer]>([
    [
      'percent-encoded in lower case',
      (token) => encodeURIComponent(token).replace(/%../g, (code) => code.toLowerCase()),
    ],
    [
      'in JSON with every escape',
      (token) => token.replace(/[+/=]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`),
    ],
    ['in JSON with escaped equals signs', (token) => token.replaceAll('=', '\\u003d')],
    ['in HTML', (token) => token.replace(/[+/=]/g, (char) => `&#${char.charCodeAt(0)};`)],
    ['in UTF-16', (token) => Buffer.from(token, 'utf16le')],
    ['in UTF-16 of the other byte order', (token) => Buffer.from(token, 'utf16le').swap16()],
  ])('%s is not heard', async (_, write) => {
    const { farSide, world, authority } = await injecting({ ...SESSION, token: new Secret(LONG) });
    farSide.answer = (_request, response) => void response.end(write(LONG));
    expect(await world.refusal({ authority })).toEqual(ECHO);
  });

  test('is not asked for another charset', async () => {
    const { farSide, world, authority } = await injecting();
    await world.send({ authority, headers: fields(['Accept-Charset', 'ibm037'], ['accept_charset', 'utf-7']) });
    expect([...valuesOf(farSide, 'accept-charset'), ...valuesOf(farSide, 'accept_charset')]).toEqual([]);
  });

  test('not a byte of the secret gets out before it is known', async () => {
    const farSide = await startRawFarSide((socket) => void socket.end(`HTTP/1.1 200 OK\r\n\r\nseen: ${TOKEN}`));
    const { world, authority } = facing(farSide);
    const { body } = await world.open({ authority });
    let heard = '';
    await expect(async () => {
      for await (const chunk of body) heard += Buffer.from(chunk).toString();
    }).rejects.toMatchObject({ errorCode: ECHO });
    expect('seen: '.startsWith(heard)).toBe(true);
  });

  test.each([
    ['what begins like the secret', ['xthe-access-tokenx the-access-token-of-entrx']],
    ['what ends like it may begin', ['a the', '-access-', 'token-of-', 'nobody the-access-token-of-entr']],
    ['what repeats its beginning', ['the-the-the-access-the-access-token-of-entr', 'the-']],
    ['nothing', []],
  ])('%s is heard', async (_, parts) => {
    const farSide = await startRawFarSide((socket) => void socket.end(chunked(...parts)));
    const { world, authority } = facing(farSide);
    expect((await world.send({ authority })).text).toBe(parts.join(''));
  });

  test('AWS shows what it would have signed: the session token in it is not heard', async () => {
    const { farSide, world, authority } = await injecting(FAKE_CREDENTIALS);
    world.setPolicy(
      `grants: { models: { aws: { roleArn: 'arn:aws:iam::111122223333:role/models', region: us-east-1 }, inject: { scheme: http, host: 127.0.0.1, port: ${farSide.port}, service: bedrock } } }`,
    );
    farSide.answer = ({ headers }, response) =>
      void response.writeHead(403).end(headers.map(([name, value]) => `${name.toLowerCase()}:${value}`).join('\n'));
    expect(await world.refusal({ authority })).toEqual(ECHO);
    expect(farSide.arrived).toHaveLength(1);
  });

  test('is asked not to compress what it shows', async () => {
    const { farSide, world, authority } = await injecting();
    farSide.answer = ({ headers }, response) => {
      const accepted = headers.filter(([name]) => name.toLowerCase() === 'accept-encoding').map(([, value]) => value);
      if (accepted.includes('identity')) response.end(JSON.stringify(headers));
      else response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(gzipSync(JSON.stringify(headers)));
    };
    const headers = fields(['Accept-Encoding', 'gzip'], ['accept-encoding', 'br']);
    expect(await world.refusal({ authority, headers })).toEqual(ECHO);
    expect(valuesOf(farSide, 'accept-encoding')).toEqual(['identity']);
  });

  test('without credentials of the host`s in it may show it', async () => {
    const farSide = await startFarSide();
    farSide.answer = ({ headers }, response) => void response.end(JSON.stringify(headers));
    const authority = `127.0.0.1:${farSide.port}`;
    const world = openEgressWorld({ policy: `egress: ['http://${authority}']` });
    const answer = await world.send({ authority, headers: fields(['Authorization', `Bearer ${TOKEN}`]) });
    expect(answer.text).toContain(TOKEN);
  });
});

function chunked(...parts: readonly string[]): string {
  const chunks = parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`);
  return `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks.join('')}0\r\n\r\n`;
}
