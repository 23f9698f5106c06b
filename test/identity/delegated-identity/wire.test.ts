import { constants, type ServerHttp2Stream } from 'node:http2';
import { describe, expect, test } from 'vitest';
import { createAuthority } from '../../../src/dev/authority.ts';
import { answer, fetchAnswer, frame, GRPC_HEADERS, type RawAgent, startRawAgent } from '../../fakes/raw-agent.ts';
import { API, connectSvidSource, unaborted } from '../../support/delegated-identity.ts';
import { refusal, refusalCode } from '../../support/errors.ts';
import { eventually } from '../../support/eventually.ts';

const AUDIENCE = ['a.example.org'] as const;

/** An agent in frames, a client of it, and a good answer. */
async function setUp(timeoutMs = 5_000) {
  const authority = await createAuthority({
    clock: { now: () => Date.now(), after: () => ({ cancel: () => {} }) },
    keyType: 'ec-p256',
    jwtIssuer: 'https://oidc.example.org',
    keyTtlMs: 3600_000,
  });
  const agent = await startRawAgent();
  const source = connectSvidSource(agent.socketPath, { timeoutMs });
  const mint = async (): Promise<string> =>
    (await authority.mint({ spiffeId: API.spiffeId, audience: AUDIENCE, ttl: 300 })).token;
  const good = (token: string): Buffer =>
    frame(fetchAnswer({ token, id: { trust_domain: 'example.org', path: '/api' } }));
  return { agent, mint, good, ask: () => source.fetchJwtSvid(API, AUDIENCE, unaborted()), token: await mint() };
}

/** The calls after these ones are answered well. */
function thenWell(agent: RawAgent, good: Buffer, ...bad: ((stream: ServerHttp2Stream) => void)[]): void {
  agent.onCall = (stream) => (bad.shift() ?? ((well) => answer(well, good)))(stream);
}

describe('GOAWAY', () => {
  test('while a call is under way lets that call finish; the next one goes over a new connection', async () => {
    const { agent, good, ask, token } = await setUp();
    agent.onCall = () => {};
    const first = ask();
    const stream = await agent.calls.next();
    stream.session?.goaway(constants.NGHTTP2_NO_ERROR, stream.id);
    thenWell(agent, good(token));
    const second = await ask();
    expect(second.token.reveal()).toBe(token);
    expect(agent.sessions.all).toHaveLength(2);
    answer(stream, good(token));
    expect((await first).token.reveal()).toBe(token);
  });

  test.each([
    ['NO_ERROR, the call not looked at', constants.NGHTTP2_NO_ERROR],
    ['ENHANCE_YOUR_CALM', constants.NGHTTP2_ENHANCE_YOUR_CALM],
    ['INTERNAL_ERROR', constants.NGHTTP2_INTERNAL_ERROR],
  ])('%s, then the end of the connection: never worse than unavailable, and soon well again', async (_, code) => {
    const { agent, good, ask, token } = await setUp();
    thenWell(agent, good(token), (stream) => {
      stream.session?.goaway(code, 0);
      stream.session?.destroy();
    });
    const outcome = await ask().then(
      (svid) => svid.token.reveal(),
      (error: { code: string }) => error.code,
    );
    expect([token, 'identity_unavailable']).toContain(outcome);
    expect((await eventually(ask)).token.reveal()).toBe(token);
  });
});

describe('RST_STREAM', () => {
  const { NGHTTP2_REFUSED_STREAM, ...codes } = constants;
  test.each([
    ['NO_ERROR', codes.NGHTTP2_NO_ERROR],
    ['PROTOCOL_ERROR', codes.NGHTTP2_PROTOCOL_ERROR],
    ['INTERNAL_ERROR', codes.NGHTTP2_INTERNAL_ERROR],
    ['CANCEL', codes.NGHTTP2_CANCEL],
    ['ENHANCE_YOUR_CALM', codes.NGHTTP2_ENHANCE_YOUR_CALM],
  ])('%s ends that call as unavailable, and nothing else', async (_, code) => {
    const { agent, good, ask, token } = await setUp();
    thenWell(agent, good(token), (stream) => stream.close(code));
    expect(await refusalCode(ask)).toBe('identity_unavailable');
    expect((await ask()).token.reveal()).toBe(token);
    expect(agent.sessions.all).toHaveLength(1);
  });

  test('CANCEL is what an agent says that sees the deadline pass before we do', async () => {
    const { agent, ask } = await setUp();
    agent.onCall = (stream) => stream.close(codes.NGHTTP2_CANCEL);
    expect(await refusal(ask)).toMatchObject({ message: 'the SPIRE agent did not answer in time' });
  });

  test('REFUSED_STREAM says that the call was not looked at: it is made again, unnoticed', async () => {
    const { agent, good, ask, token } = await setUp();
    thenWell(agent, good(token), (stream) => stream.close(NGHTTP2_REFUSED_STREAM));
    expect((await ask()).token.reveal()).toBe(token);
    expect(agent.calls.all).toHaveLength(2);
  });

  test('in the middle of an answer does not make half of it an answer', async () => {
    const { agent, good, ask, token } = await setUp();
    thenWell(agent, good(token), (stream) => {
      stream.respond(GRPC_HEADERS);
      stream.write(good(token), () => stream.close(codes.NGHTTP2_INTERNAL_ERROR));
    });
    expect(await refusalCode(ask)).toBe('identity_unavailable');
    expect((await ask()).token.reveal()).toBe(token);
  });
});

describe('an answer that is only trailers, as every early refusal of an agent is', () => {
  test.each([
    ['3', 'audience must be specified', 'identity_request_rejected'],
    ['7', 'caller not configured as an authorized delegate', 'identity_delegate_unauthorized'],
    ['12', 'unknown service', 'identity_request_rejected'],
    ['14', 'could not fetch JWT-SVID: %C3%BC', 'identity_unavailable'],
  ])('grpc-status %s "%s" is %s', async (grpcStatus, message, code) => {
    const { agent, ask } = await setUp();
    agent.onCall = (stream) =>
      stream.respond(
        { ...GRPC_HEADERS, 'grpc-status': grpcStatus, 'grpc-message': message },
        {
          endStream: true,
        },
      );
    const error = await refusal(ask);
    expect(error.code).toBe(code);
    expect(error.detail ?? '').toContain(decodeURIComponent(message));
  });
});

describe('an answer that breaks the rules', () => {
  const respond = (stream: ServerHttp2Stream, data: Buffer, trailers: Record<string, string> | undefined): void => {
    stream.respond(GRPC_HEADERS, { waitForTrailers: true });
    stream.on('wantTrailers', () => (trailers === undefined ? stream.close() : stream.sendTrailers(trailers)));
    stream.end(data);
  };
  const ok = { 'grpc-status': '0' };
  const cases: [string, string, (stream: ServerHttp2Stream, good: Buffer) => void][] = [
    ['no grpc-status at its end', 'identity_unavailable', (stream, good) => respond(stream, good, undefined)],
    ['a grpc-status that is no number', 'identity_unavailable', (s, good) => respond(s, good, { 'grpc-status': 'x' })],
    ['OK without a message', 'identity_unavailable', (stream) => respond(stream, Buffer.alloc(0), ok)],
    ['two messages', 'identity_unavailable', (stream, good) => respond(stream, Buffer.concat([good, good]), ok)],
    ['a message that is cut off', 'identity_unavailable', (stream, good) => respond(stream, good.subarray(0, -9), ok)],
    [
      'a message that says it is compressed',
      'identity_unavailable',
      (stream, good) => respond(stream, Buffer.concat([Buffer.of(1), good.subarray(1)]), ok),
    ],
    [
      'a message that says it has four gigabytes',
      'identity_unavailable',
      (stream) => respond(stream, Buffer.from('00ffffffff0a', 'hex'), ok),
    ],
    [
      'the page of a web server',
      'identity_unavailable',
      (stream) => {
        stream.respond({ ':status': 503, 'content-type': 'text/html' });
        stream.end('<html>');
      },
    ],
    [
      'a redirect',
      'identity_unavailable',
      (stream) => {
        stream.respond({ ':status': 302, location: 'http://127.0.0.1:1/' });
        stream.end();
      },
    ],
  ];
  test.each(cases)('%s: %s', async (_, code, bad) => {
    const { agent, good, ask, token } = await setUp();
    thenWell(agent, good(token), (stream) => bad(stream, good(token)));
    expect(await refusalCode(ask)).toBe(code);
    expect((await eventually(ask)).token.reveal()).toBe(token);
  });
});

describe('an answer of an agent that is newer than we are', () => {
  test('may have fields that we do not know, of every kind, anywhere', async () => {
    const { agent, ask, token } = await setUp();
    // Field 1000 as a number, as eight bytes, as bytes and as four bytes (Protocol Buffers, encoding).
    const unknown = Buffer.from('c03e2a' + 'c13e0102030405060708' + 'c23e0378797a' + 'c53e01020304', 'hex');
    const text = (field: number, bytes: Buffer): Buffer => {
      const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7];
      return Buffer.concat([Buffer.of((field << 3) | 2, ...length), bytes]);
    };
    const id = Buffer.concat([unknown, text(1, Buffer.from('example.org')), unknown, text(2, Buffer.from('/api'))]);
    const svid = Buffer.concat([unknown, text(1, Buffer.from(token)), text(2, id), unknown]);
    agent.onCall = (stream) => answer(stream, frame(Buffer.concat([unknown, text(1, svid), unknown])));
    expect((await ask()).token.reveal()).toBe(token);
  });
});

test('an agent that answers after the deadline answers nobody, and the next call gets its own answer', async () => {
  const { agent, good, ask, mint } = await setUp(100);
  const [late, own] = [await mint(), await mint()];
  expect(await refusal(ask)).toMatchObject({ message: 'the SPIRE agent did not answer in time' });
  const stream = await agent.calls.next();
  answer(stream, good(late));
  agent.onCall = (next) => answer(next, good(own));
  expect((await eventually(ask)).token.reveal()).toBe(own);
});
