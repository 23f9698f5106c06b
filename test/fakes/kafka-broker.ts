import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { unverifiedClaims, verifyByIssuer } from './published-issuer.ts';

/** Kafka protocol guide, "Api Keys": the four requests that this broker knows. */
const METADATA = 3;
const SASL_HANDSHAKE = 17;
const API_VERSIONS = 18;
const SASL_AUTHENTICATE = 36;

/** The highest version of each that it speaks. */
const VERSIONS = new Map([
  [METADATA, 0],
  [SASL_HANDSHAKE, 1],
  [API_VERSIONS, 1],
  [SASL_AUTHENTICATE, 1],
]);

/** Kafka protocol guide, "Error Codes". */
const UNSUPPORTED_VERSION = 35;

const brokerClaims = z.object({ sub: z.string(), aud: z.array(z.string()), iss: z.string() });

export interface FakeKafkaBroker {
  /** `host:port`. */
  readonly address: string;
  /** The token of each authentication, also of those that were refused. */
  readonly tokens: string[];
  /** Who has logged in, as ACLs name them. */
  readonly principals: string[];
}

export interface FakeKafkaBrokerOptions {
  readonly issuer: string;
  readonly audience: string;
  readonly topic: string;
  /** After how many milliseconds clients are told to authenticate again. */
  readonly sessionLifetimeMs: number;
}

/**
 * A Kafka broker that lets clients log in with SASL/OAUTHBEARER and then tells them of one topic. It refuses a token as
 * Kafka 4.4.0 was seen to: the answer is no error but a challenge, and whatever is asked next ends the connection.
 */
export async function startFakeKafkaBroker(options: FakeKafkaBrokerOptions): Promise<FakeKafkaBroker> {
  const tokens: string[] = [];
  const principals: string[] = [];
  const sockets = new Set<Socket>();

  /** The principal of a token that the issuer signed for this broker. */
  async function principalOf(token: string): Promise<string | undefined> {
    const verified = await verifyByIssuer(token, { issuer: options.issuer, algorithms: ['ES256'], now: Date.now() });
    const claims = brokerClaims.safeParse('claims' in verified ? unverifiedClaims(token) : undefined);
    return claims.data?.aud.includes(options.audience) ? `User:${claims.data.sub}` : undefined;
  }

  async function serve(socket: Socket): Promise<void> {
    let principal: string | undefined;
    for await (const { apiKey, version, correlation, body } of requests(socket)) {
      const answer = (...fields: Buffer[]): void => {
        const payload = Buffer.concat([int32(correlation), ...fields]);
        socket.write(Buffer.concat([int32(payload.length), payload]));
      };
      if (apiKey === API_VERSIONS) {
        const known = [...VERSIONS].flatMap(([key, highest]) => [int16(key), int16(0), int16(highest)]);
        const error = version > 1 ? UNSUPPORTED_VERSION : 0;
        answer(int16(error), int32(VERSIONS.size), ...known, ...(version === 1 ? [int32(0)] : []));
      } else if (apiKey === SASL_HANDSHAKE) {
        answer(int16(0), int32(1), string('OAUTHBEARER'));
      } else if (apiKey === SASL_AUTHENTICATE) {
        const token = tokenOf(body.subarray(4).toString('utf8'));
        tokens.push(token);
        principal = await principalOf(token);
        if (principal !== undefined) principals.push(principal);
        const challenge = Buffer.from(principal === undefined ? '{"status":"invalid_token"}' : '');
        const lifetime = principal === undefined ? 0 : options.sessionLifetimeMs;
        answer(int16(0), int16(-1), int32(challenge.length), challenge, int32(0), int32(lifetime));
      } else if (apiKey === METADATA && principal !== undefined) {
        const broker = [int32(1), int32(1), string('127.0.0.1'), int32(socket.localPort ?? 0)];
        answer(...broker, int32(1), int16(0), string(options.topic), int32(0));
      } else {
        socket.destroy();
      }
    }
  }

  const server = createServer((socket) => {
    sockets.add(socket);
    // A client that goes away in the middle of a request is its own business.
    serve(socket).catch(() => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = z.object({ port: z.number() }).parse(server.address());
  return { address: `127.0.0.1:${address.port}`, tokens, principals };
}

/**
 * RFC 7628, 3.1: the token of an initial client response that has no authorization identity and no further fields. Anything
 * else has none.
 */
function tokenOf(initialResponse: string): string {
  const [header, auth = '', ...end] = initialResponse.split('\u0001');
  return header === 'n,,' && end.join() === ',' && auth.startsWith('auth=Bearer ') ? auth.slice(12) : '';
}

/** Kafka protocol guide, "Protocol Primitive Types": each request has its size before it, and a header of version 1. */
async function* requests(socket: Socket) {
  let pending = Buffer.alloc(0);
  for await (const chunk of socket) {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
      const request = pending.subarray(4, 4 + pending.readInt32BE(0));
      pending = pending.subarray(4 + request.length);
      const [apiKey, version, correlation] = [request.readInt16BE(0), request.readInt16BE(2), request.readInt32BE(4)];
      yield { apiKey, version, correlation, body: request.subarray(10 + request.readInt16BE(8)) };
    }
  }
}

function int16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeInt16BE(value);
  return buffer;
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}

function string(text: string): Buffer {
  return Buffer.concat([int16(Buffer.byteLength(text)), Buffer.from(text)]);
}
