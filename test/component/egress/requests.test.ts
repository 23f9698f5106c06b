import { describe, expect, test } from 'vitest';
import type { Fields, OutgoingRequest } from '../../../src/component/egress/outgoing-request.ts';
import { bodyOf, type EgressWorld, fields, openEgressWorld } from '../../support/egress.ts';
import { type FarSide, type RawFarSide, startFarSide, startRawFarSide } from '../../support/far-side.ts';

interface Setting<F> {
  readonly farSide: F;
  readonly world: EgressWorld;
  readonly authority: string;
}

function facing<F extends { readonly port: number }>(farSide: F): Setting<F> {
  const authority = `127.0.0.1:${farSide.port}`;
  return { farSide, authority, world: openEgressWorld({ policy: `egress: ['http://${authority}']` }) };
}

async function open(): Promise<Setting<FarSide>> {
  return facing(await startFarSide());
}

/** Keeps the bytes, and answers 200. */
async function openRaw(until?: string): Promise<Setting<RawFarSide>> {
  return facing(
    await startRawFarSide((socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'), until),
  );
}

describe('where a request goes', () => {
  test.each([
    ['credentials in the authority', { authority: 'user:password@AUTHORITY' }],
    ['a name in the authority', { authority: 'user@AUTHORITY' }],
    ['an empty name in the authority', { authority: '@AUTHORITY' }],
    ['the granted authority as credentials', { authority: 'AUTHORITY@127.0.0.2' }],
    ['no authority', { authority: '' }],
    ['a port without a host', { authority: ':80' }],
    ['an empty port', { authority: '127.0.0.1:' }],
    ['port 0', { authority: '127.0.0.1:0' }],
    ['a port beyond the last', { authority: '127.0.0.1:65536' }],
    ['a port that wraps around to the granted one', { authority: 'WRAPPED' }],
    ['a port with a zero before it', { authority: '127.0.0.1:080' }],
    ['a port with a sign', { authority: '127.0.0.1:+80' }],
    ['a port with a blank', { authority: '127.0.0.1: 80' }],
    ['a port in hexadecimal', { authority: '127.0.0.1:0x50' }],
    ['two ports', { authority: 'AUTHORITY:80' }],
    ['a path in the authority', { authority: 'AUTHORITY/' }],
    ['a backslash in the authority', { authority: 'AUTHORITY\\@127.0.0.2' }],
    ['a fragment in the authority', { authority: 'AUTHORITY#' }],
    ['a query in the authority', { authority: 'AUTHORITY?' }],
    ['a line end in the authority', { authority: 'AUTHORITY\r\nX-Y: z' }],
    ['a tab in the authority', { authority: '127.0.0\t.1:80' }],
    ['percent-encoding in the authority', { authority: '127%2e0.0.1:80' }],
    ['letters of full width in the authority', { authority: '１２７.0.0.1:80' }],
    ['a zone in the authority', { authority: '[fe80::1%25eth0]:80' }],
    ['a bracket that is not closed', { authority: '[::1' }],
    ['the absolute form', { pathWithQuery: 'http://127.0.0.2/' }],
    ['the authority form', { pathWithQuery: '127.0.0.2:80' }],
    ['the asterisk form', { pathWithQuery: '*' }],
    ['no slash', { pathWithQuery: 'path' }],
    ['a backslash', { pathWithQuery: '/a\\..\\b' }],
    ['a backslash in the query', { pathWithQuery: '/?a\\b' }],
    ['a fragment', { pathWithQuery: '/a#b' }],
    ['a fragment after the query', { pathWithQuery: '/?a#b' }],
    ['a blank in the path', { pathWithQuery: '/a HTTP/1.1' }],
    ['a blank in the query', { pathWithQuery: '/?a HTTP/1.1' }],
    ['a line end in the path', { pathWithQuery: '/ HTTP/1.1\r\nHost: other\r\n\r\nGET /' }],
    ['a line feed in the query', { pathWithQuery: '/?a\nb' }],
    ['a NUL', { pathWithQuery: '/a\0b' }],
    ['a tab', { pathWithQuery: '/a\tb' }],
    ['a DEL', { pathWithQuery: '/a\x7fb' }],
    ['letters beyond ASCII', { pathWithQuery: '/ä' }],
    ['letters that Node would cut down to a line end', { pathWithQuery: '/\u010d\u010aX' }],
  ])('%s is refused', async (_, changes: Partial<OutgoingRequest>) => {
    const { farSide, world, authority } = await open();
    const wrapped = `127.0.0.1:${farSide.port + 65_536}`;
    const asked = { authority, ...changes };
    const written = asked.authority.replace('AUTHORITY', authority).replace('WRAPPED', wrapped);
    expect(await world.refusal({ ...asked, authority: written })).toEqual({ tag: 'HTTP-request-URI-invalid' });
    expect(farSide.connections).toBe(0);
  });

  test.each(['ftp', 'HTTP', 'file', 'ws', ''])('the scheme %j is refused', async (text) => {
    const { farSide, world, authority } = await open();
    // What arrives from the component's thread has only the type of what should.
    const scheme: OutgoingRequest = JSON.parse(JSON.stringify({ scheme: text }));
    expect(await world.refusal({ ...scheme, authority })).toEqual({ tag: 'HTTP-request-URI-invalid' });
    expect(farSide.connections).toBe(0);
  });

  test('a path of 16 KiB is sent, and a longer one is not', async () => {
    const { farSide, world, authority } = await open();
    const longest = `/${'a'.repeat(16 * 1024 - 1)}`;
    expect(await world.refusal({ authority, pathWithQuery: `${longest}a` })).toEqual({
      tag: 'HTTP-request-URI-too-long',
    });
    expect(farSide.connections).toBe(0);
  });

  test.each([
    ['', '/'],
    ['?q', '/?q'],
    ['/?', '/?'],
    ['//double', '//double'],
    ['/%zz?%', '/%zz?%'],
    ['/!$&\'()*+,;=:@-._~?a=b&c[]={}|^`"<>', '/!$&\'()*+,;=:@-._~?a=b&c[]={}|^`"<>'],
  ])('the path %j is sent as %j', async (pathWithQuery, sent) => {
    const { farSide, world, authority } = await openRaw();
    await world.send({ authority, pathWithQuery });
    expect(farSide.received.split('\r\n')[0]).toBe(`GET ${sent} HTTP/1.1`);
  });

  test('Host is the authority, with the port where it is not the usual one', async () => {
    const { farSide, world, authority } = await openRaw();
    await world.send({ authority });
    expect(farSide.received.match(/^host:.*$/gim)).toEqual([`Host: ${authority}`]);
  });
});

describe('methods', () => {
  test.each(['', 'GET /', 'GET\r\nX: y', 'G:T', 'GÉT', 'GET\0', 'CONNECT', 'connect', 'X'.repeat(33)])(
    '%j is refused',
    async (method) => {
      const { farSide, world, authority } = await open();
      expect(await world.refusal({ authority, method })).toEqual({ tag: 'HTTP-request-method-invalid' });
      expect(farSide.connections).toBe(0);
    },
  );

  test.each(['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'PROPFIND', 'X-OWN'])(
    '%s is sent',
    async (method) => {
      const { farSide, world, authority } = await openRaw();
      await world.send({ authority, method });
      expect(farSide.received.startsWith(`${method} / HTTP/1.1\r\n`)).toBe(true);
    },
  );
});

describe('headers', () => {
  const FORBIDDEN = [
    'Connection',
    'Expect',
    'Host',
    'HTTP2-Settings',
    'Keep-Alive',
    'Proxy-Authenticate',
    'Proxy-Authentication-Info',
    'Proxy-Authorization',
    'Proxy-Connection',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
  ];
  test.each<[string, Fields]>([
    ...FORBIDDEN.flatMap((name): [string, Fields][] => [
      [name, fields([name, 'x'])],
      [name.toLowerCase(), fields([name.toLowerCase(), 'x'])],
    ]),
    ['a second Content-Length', fields(['Content-Length', '1'], ['content-length', '1'])],
    ['Content-Length in a list', fields(['Content-Length', '1, 1'])],
    ['Content-Length with a sign', fields(['Content-Length', '+1'])],
    ['Content-Length below 0', fields(['Content-Length', '-1'])],
    ['Content-Length in hexadecimal', fields(['Content-Length', '0x1'])],
    ['Content-Length with a zero before it', fields(['Content-Length', '01'])],
    ['Content-Length with a fraction', fields(['Content-Length', '1.0'])],
    ['Content-Length beyond what numbers can tell', fields(['Content-Length', '9007199254740993'])],
    ['an empty Content-Length', fields(['Content-Length', ''])],
    ['a line end in a value', fields(['X-A', 'a\r\nX-B: b'])],
    ['a line feed in a value', fields(['X-A', 'a\nTransfer-Encoding: chunked'])],
    ['a carriage return in a value', fields(['X-A', 'a\rb'])],
    ['a NUL in a value', fields(['X-A', 'a\0b'])],
    ['a blank before a value', fields(['X-A', ' a'])],
    ['a tab after a value', fields(['X-A', 'a\t'])],
    ['an empty name', fields(['', 'a'])],
    ['a blank after a name', fields(['Transfer-Encoding ', 'chunked'])],
    ['a blank before a name', fields([' Host', 'other'])],
    ['a colon in a name', fields(['X-A:', 'a'])],
    ['a line end in a name', fields(['X-A\r\nX-B', 'a'])],
    ['a tab in a name', fields(['Transfer-Encoding\t', 'chunked'])],
    ['a letter beyond ASCII in a name', fields(['X-Ä', 'a'])],
    ['a NUL in a name', fields(['Transfer-Encoding\0', 'chunked'])],
  ])('%s is refused', async (_, headers) => {
    const { farSide, world, authority } = await open();
    const body = bodyOf('x');
    expect(await world.refusal({ authority, headers, method: 'POST', body })).toEqual({ tag: 'HTTP-request-denied' });
    expect(farSide.connections).toBe(0);
  });

  test.each([
    ['without a body', undefined, ''],
    ['with a body', bodyOf('hi'), 'Transfer-Encoding: chunked\r\n'],
    ['with a body that never comes', new ReadableStream<Uint8Array>(), 'Transfer-Encoding: chunked\r\n'],
  ])('others are sent as they are, in order, repeated ones too, %s', async (_, body, framing) => {
    const { farSide, world, authority } = await openRaw();
    const headers = fields(
      ['X-b', '1'],
      ['accept', 'text/html;q=0.5,\t*/*'],
      ['x-B', 'caf\xc3\xa9 \xff'],
      ['X-Empty', ''],
    );
    await world.send({ authority, headers, body });
    expect(farSide.received.split('\r\n\r\n')[0]).toBe(
      `GET / HTTP/1.1\r\nHost: ${authority}\r\nX-b: 1\r\naccept: text/html;q=0.5,\t*/*\r\nx-B: caf\xc3\xa9 \xff\r\nX-Empty: \r\n` +
        `${framing}Connection: close`,
    );
  });

  test('more than 64 KiB of them are refused', async () => {
    const { farSide, world, authority } = await open();
    const headers = Array.from({ length: 70 }, (_, index) => fields([`x-${index}`, 'v'.repeat(1000)])).flat();
    const tag = 'HTTP-request-header-section-size';
    expect(await world.refusal({ authority, headers })).toMatchObject({ tag });
    expect(farSide.connections).toBe(0);
    expect(await world.send({ authority, headers: headers.slice(0, 10) })).toMatchObject({ status: 200 });
  });
});

describe('bodies', () => {
  test('of a length that is said are sent with it', async () => {
    const { farSide, world, authority } = await openRaw('world');
    const headers = fields(['Content-Length', '10']);
    await world.send({ authority, method: 'POST', headers, body: bodyOf('hello', '', 'world') });
    expect(farSide.received).toBe(
      `POST / HTTP/1.1\r\nHost: ${authority}\r\nContent-Length: 10\r\nConnection: close\r\n\r\nhelloworld`,
    );
  });

  test.each(['POST', 'GET', 'DELETE'])('of no length that is said are chunked, also with %s', async (method) => {
    const { farSide, world, authority } = await open();
    await world.send({ authority, method, body: bodyOf('hello', '', 'world') });
    expect(farSide.arrived).toMatchObject([{ method, body: 'helloworld', trailers: [] }]);
    expect(farSide.arrived[0]?.headers).toContainEqual(['Transfer-Encoding', 'chunked']);
  });

  test.each([
    ['POST', ['Content-Length: 0']],
    ['GET', null],
    ['DELETE', null],
  ])('that are not there: %s', async (method, lengths) => {
    const { farSide, world, authority } = await openRaw();
    await world.send({ authority, method });
    expect(farSide.received.match(/^(?:content-length|transfer-encoding):.*$/gim)).toEqual(lengths);
  });

  test.each([
    ['longer than it was said', '3', ['he', 'll', 'o'], 4n],
    ['shorter than it was said', '10', ['hello'], 5n],
    ['empty, though it was said otherwise', '1', [], 0n],
    ['there, though it was said otherwise', '0', ['GET / HTTP/1.1'], 14n],
  ])('%s: the request is broken off', async (_, length, parts, val) => {
    const { farSide, world, authority } = await open();
    const headers = fields(['Content-Length', length]);
    const refusal = await world.refusal({ authority, method: 'POST', headers, body: bodyOf(...parts) });
    expect(refusal).toEqual({ tag: 'HTTP-request-body-size', val });
    // Not a byte beyond the length gets out, so that nothing can be read as another request.
    expect(farSide.arrived.map(({ body }) => body).join('')).not.toContain('GET');
  });

  test('a length without a body is refused', async () => {
    const { farSide, world, authority } = await open();
    const headers = fields(['Content-Length', '5']);
    expect(await world.refusal({ authority, method: 'POST', headers })).toEqual({
      tag: 'HTTP-request-body-size',
      val: 0n,
    });
    expect(farSide.connections).toBe(0);
  });

  test('that break off break off the request', async () => {
    const { farSide, world, authority } = await open();
    async function* broken(): AsyncGenerator<Uint8Array, void> {
      yield Buffer.from('hello');
      throw new Error('the component is gone');
    }
    expect(await world.refusal({ authority, method: 'POST', body: broken() })).toEqual({
      tag: 'internal-error',
      val: undefined,
    });
    expect(farSide.arrived).toEqual([]);
  });

  test('are read no faster than the far side takes them', async () => {
    const farSide = await startRawFarSide((socket) => void socket.pause());
    const { world, authority } = facing(farSide);
    let read = 0;
    async function* endless(): AsyncGenerator<Uint8Array, void> {
      for (;;) {
        read += 1;
        yield Buffer.alloc(1024 * 1024);
      }
    }
    const refusal = await world.refusal({ authority, method: 'POST', body: endless(), betweenBytesTimeoutMs: 300 });
    expect(refusal).toEqual({ tag: 'connection-write-timeout' });
    // What the buffers of the system take, on both sides.
    expect(read).toBeLessThan(30);
  });
});

describe('trailers', () => {
  test('follow a chunked body', async () => {
    const { farSide, world, authority } = await open();
    const trailers = async () => fields(['X-Sum', 'abc'], ['x-other', 'd']);
    await world.send({ authority, method: 'POST', body: bodyOf('hello'), trailers });
    expect(farSide.arrived[0]?.trailers).toEqual([
      ['X-Sum', 'abc'],
      ['x-other', 'd'],
    ]);
  });

  test.each<[string, Fields]>([
    ['Transfer-Encoding', fields(['Transfer-Encoding', 'chunked'])],
    ['Content-Length', fields(['content-length', '3'])],
    ['Host', fields(['Host', 'other'])],
    ['Authorization', fields(['Authorization', 'x'])],
    ['Content-Type', fields(['Content-Type', 'x'])],
    ['a line end', fields(['X-A', 'a\r\n\r\nGET / HTTP/1.1'])],
    ['a malformed name', fields(['X A', 'a'])],
  ])('with %s break off the request', async (_, list) => {
    const { farSide, world, authority } = await open();
    const request = { authority, method: 'POST', body: bodyOf('hello'), trailers: async () => list };
    expect(await world.refusal(request)).toEqual({ tag: 'HTTP-request-denied' });
    expect(farSide.arrived).toEqual([]);
  });

  test.each([
    ['a body of a length that is said', { body: bodyOf('x'), headers: fields(['Content-Length', '1']) }],
    ['no body', {}],
  ])('have no place after %s', async (_, changes) => {
    const { farSide, world, authority } = await open();
    const trailers = async () => fields(['X-Sum', 'abc']);
    const refusal = await world.refusal({ authority, method: 'POST', trailers, ...changes });
    expect(refusal).toEqual({ tag: 'HTTP-request-trailer-section-size', val: 0 });
    expect(farSide.arrived).toHaveLength(0);
  });
});
