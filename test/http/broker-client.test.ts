import type { RequestListener } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { ERROR_CODES, type ErrorCode, SvidxError } from '../../src/base/errors.ts';
import type { Broker } from '../../src/broker/broker.ts';
import { createBrokerApp } from '../../src/http/broker-app.ts';
import { createBrokerClient } from '../../src/http/broker-client.ts';
import { listenOnPrivateSocket } from '../../src/http/listener.ts';
import { createFakeBroker, FAKE_CREDENTIALS, fakeToken, refusalWithDetail } from '../fakes/broker.ts';
import { createMemoryLog } from '../fakes/log.ts';
import { asAws } from '../support/credentials.ts';
import { refusal } from '../support/errors.ts';
import { serveOnPrivateSocket } from '../support/private-socket.ts';
import { tempFolder } from '../support/temp.ts';

async function startService() {
  const broker = createFakeBroker();
  const { path } = await serveOnPrivateSocket(createBrokerApp({ broker, logger: createMemoryLog().logger }));
  return { broker, client: createBrokerClient(path) };
}

/** A client of a server that answers as it likes. */
async function clientOf(listener: RequestListener): Promise<Broker> {
  return createBrokerClient((await serveOnPrivateSocket(listener)).path);
}

/** A client of a server that need not speak HTTP. */
async function clientOfRaw(
  onSocket: (socket: Socket) => void,
): Promise<{ client: Broker; path: string; server: Server }> {
  const path = join(await tempFolder(), 'raw.sock');
  const server = createServer(onSocket);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => void server.close());
  return { client: createBrokerClient(path), path, server };
}

describe('a service that answers', () => {
  test('gives the JWT-SVID, which prints as redacted', async () => {
    const { broker, client } = await startService();
    const svid = await client.identity({ component: 'api' }, ['a', 'b']);
    expect(svid.token.reveal()).toBe(fakeToken('api', ['a', 'b']));
    expect(svid).toMatchObject({ audience: ['a', 'b'], expiresAt: FAKE_CREDENTIALS.expiresAt });
    expect(String(svid.spiffeId)).toBe('spiffe://example.org/api');
    expect(inspect(svid) + JSON.stringify(svid)).not.toContain(svid.token.reveal());
    expect(broker.asked).toEqual([{ caller: { component: 'api', digest: undefined }, audience: ['a', 'b'] }]);
  });

  test('gives the credentials, whose secrets print as redacted', async () => {
    const { broker, client } = await startService();
    const credentials = asAws(await client.credentials({ component: 'api' }, 'models'));
    expect(credentials).toEqual(FAKE_CREDENTIALS);
    expect(credentials.secretAccessKey.reveal()).toBe('the-secret-access-key');
    expect(inspect(credentials) + JSON.stringify(credentials)).not.toMatch(/the-secret-access-key|the-session-token/);
    expect(broker.asked).toEqual([{ caller: { component: 'api', digest: undefined }, grant: 'models' }]);
  });

  test('is told the digest of the bytes that run here', async () => {
    const { broker, client } = await startService();
    const digest = `sha256:${'ab'.repeat(32)}`;
    await client.identity({ component: 'api', digest }, ['a']);
    await client.credentials({ component: 'api', digest }, 'models');
    expect(broker.asked.map(({ caller }) => caller.digest)).toEqual([digest, digest]);
  });

  test('is asked again and again, also many times at once', async () => {
    const { broker, client } = await startService();
    const names = Array.from({ length: 50 }, (_, index) => `c${index}`);
    const svids = await Promise.all(names.map((component) => client.identity({ component }, ['a'])));
    expect(svids.map(({ spiffeId }) => String(spiffeId))).toEqual(names.map((name) => `spiffe://example.org/${name}`));
    expect(broker.asked).toHaveLength(50);
  });

  test.each(['a"b', 'a\\b', 'é東🌍', 'a\r\nX: y', '../x', '\u0000'])(
    'gets the name %j unchanged',
    async (component) => {
      const { broker, client } = await startService();
      broker.failure = new SvidxError('policy_denied', 'no');
      await refusal(client.credentials({ component }, component));
      expect(broker.asked).toEqual([{ caller: { component, digest: undefined }, grant: component }]);
    },
  );
});

test('a service that was started anew is found again', async () => {
  const path = join(await tempFolder(), 'broker.sock');
  const app = createBrokerApp({ broker: createFakeBroker(), logger: createMemoryLog().logger });
  const client = createBrokerClient(path);
  for (let start = 0; start < 3; start += 1) {
    const listener = await listenOnPrivateSocket(path, systemClock);
    listener.handle(app);
    expect(await client.credentials({ component: 'api' }, 'g')).toEqual(FAKE_CREDENTIALS);
    await listener.close();
    expect(await refusal(client.credentials({ component: 'api' }, 'g'))).toMatchObject({ code: 'service_unreachable' });
  }
});

describe('a service that refuses', () => {
  test.each(Object.keys(ERROR_CODES) as ErrorCode[])('%s comes back as the same error', async (code) => {
    const { broker, client } = await startService();
    broker.failure = new SvidxError(code, 'a sentence');
    expect(await refusal(client.identity({ component: 'api' }, ['a']))).toMatchObject({ code, message: 'a sentence' });
    expect(await refusal(client.credentials({ component: 'api' }, 'g'))).toMatchObject({ code, message: 'a sentence' });
  });

  test('keeps its detail to itself', async () => {
    const { broker, client } = await startService();
    broker.failure = refusalWithDetail();
    const error = await refusal(client.credentials({ component: 'api' }, 'g'));
    expect(error.detail).toBeUndefined();
    expect(inspect(error)).not.toContain('DETAIL-FOR-THE-LOG');
  });

  test('a request that the service calls malformed says so', async () => {
    const { client } = await startService();
    expect(await refusal(client.credentials({ component: 'api' }, ''))).toMatchObject({ code: 'request_invalid' });
    const long = client.credentials({ component: 'api' }, 'x'.repeat(20_000));
    expect(await refusal(long)).toMatchObject({ code: 'request_too_large' });
  });
});

describe('nothing that answers', () => {
  test('no socket', async () => {
    const path = join(await tempFolder(), 'none.sock');
    expect(await refusal(createBrokerClient(path).identity({ component: 'api' }, ['a']))).toMatchObject({
      code: 'service_unreachable',
      message: `no svid-exchange service answers at ${path} (ENOENT)`,
    });
  });

  test('a socket that nobody listens on', async () => {
    const { client, server } = await clientOfRaw(() => {});
    await new Promise((resolve) => server.close(resolve));
    expect(await refusal(client.credentials({ component: 'api' }, 'g'))).toMatchObject({ code: 'service_unreachable' });
  });

  test('a path that is too long for a socket', async () => {
    const client = createBrokerClient(`/tmp/${'x'.repeat(200)}`);
    expect(await refusal(client.credentials({ component: 'api' }, 'g'))).toMatchObject({ code: 'service_unreachable' });
  });

  const hangUps: readonly (readonly [string, string])[] = [
    ['at once', ''],
    ['within the head', 'HTTP/1.1 200 OK\r\nContent-Ty'],
    ['within the body', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"token":"'],
    ['within a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{"token":"'],
    ['after something that is not HTTP', 'SSH-2.0-OpenSSH_9.9\r\n'],
  ];

  test.each(hangUps)('a server that hangs up %s', async (_, bytes) => {
    const { client } = await clientOfRaw((socket) => socket.once('data', () => socket.end(bytes)));
    expect(await refusal(client.identity({ component: 'api' }, ['a']))).toMatchObject({ code: 'service_unreachable' });
  });
});

describe('an answer of something else', () => {
  const good = { kind: 'aws', accessKeyId: 'A', secretAccessKey: 'SECRET-1', sessionToken: 'SECRET-1', region: 'r' };

  const tokens: readonly (readonly [string, string])[] = [
    ['HTML', '<html>SECRET-1</html>'],
    ['nothing', ''],
    ['another JSON object', '{}'],
    ['a list', '[]'],
    ['a token that is a number', '{"token":1}'],
    ['a token that is none', '{"token":"SECRET-1"}'],
    ['a token without claims', '{"token":"eyJhbGciOiJFUzI1NiJ9.e30.U0VDUkVULTE"}'],
  ];

  test.each(tokens)('%s instead of a token', async (_, body) => {
    const client = await clientOf((_request, response) => response.end(body));
    const error = await refusal(client.identity({ component: 'api' }, ['a']));
    expect(error.code).toBe('service_unreachable');
    expect(error.message).toMatch(/\(its answer is not the one of a svid-exchange service\)$/);
    expect(inspect(error)).not.toMatch(/SECRET-1|U0VDUkVULTE/);
  });

  const credentials: readonly (readonly [string, object])[] = [
    ['of another kind', { ...good, kind: 'azure', expiration: '2030-01-01T00:00:00Z' }],
    ['without an end', good],
    ['with an end that is no time', { ...good, expiration: 'tomorrow' }],
    ['with an end that is a number', { ...good, expiration: 1 }],
    ['without a secret', { ...good, expiration: '2030-01-01T00:00:00Z', secretAccessKey: undefined }],
  ];

  test.each(credentials)('credentials %s', async (_, body) => {
    const client = await clientOf((_request, response) => response.end(JSON.stringify(body)));
    const error = await refusal(client.credentials({ component: 'api' }, 'g'));
    expect(error.code).toBe('service_unreachable');
    expect(inspect(error)).not.toContain('SECRET-1');
  });

  const errors: readonly (readonly [string, number, string])[] = [
    ['an error page', 502, '<html>SECRET-1</html>'],
    ['an error with a code that is none of ours', 400, '{"code":"teapot","message":"SECRET-1"}'],
    ['an error with the name of an inherited property for a code', 400, '{"code":"toString","message":"SECRET-1"}'],
    ['an error without a message', 400, '{"code":"policy_denied"}'],
    ['a redirect, which is not followed', 307, ''],
    ['success of another sort', 204, ''],
  ];

  test.each(errors)('%s', async (_, status, body) => {
    const client = await clientOf((_request, response) => {
      response.writeHead(status, { Location: '/v1/other' }).end(body);
    });
    const error = await refusal(client.identity({ component: 'api' }, ['a']));
    expect(error.code).toBe('service_unreachable');
    expect(error.message).toMatch(new RegExp(`\\(it answered with status ${status}\\)$`));
    expect(inspect(error)).not.toContain('SECRET-1');
  });

  test('an answer without end is cut off', async () => {
    let cut: Promise<void> | undefined;
    const client = await clientOf((_request, response) => {
      cut = new Promise((resolve) => response.once('close', resolve));
      const write = (): void => {
        while (response.write(Buffer.alloc(65_536, ' ')));
      };
      response.on('drain', write);
      write();
    });
    const error = await refusal(client.identity({ component: 'api' }, ['a']));
    expect(error).toMatchObject({ code: 'service_unreachable' });
    expect(error.message).toMatch(/\(its answer is over 2097152 bytes\)$/);
    await cut;
  });

  test('an answer that says it is very long is not waited for', async () => {
    const client = await clientOf((_request, response) => {
      response.writeHead(200, { 'Content-Length': 1_000_000_000 }).write('{');
    });
    const error = await refusal(client.credentials({ component: 'api' }, 'g'));
    expect(error.message).toMatch(/\(its answer is over 2097152 bytes\)$/);
  });
});
