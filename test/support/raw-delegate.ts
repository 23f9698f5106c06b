import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { onTestFinished } from 'vitest';
import { loadDelegatedIdentityService } from '../../src/identity/delegated-identity/api.ts';

/** What a call came to: the message, or the status. */
export type RawOutcome<T> = T | { readonly code: number; readonly details: string };

export interface RawSvid {
  readonly token: string;
  readonly id: { readonly trust_domain: string; readonly path: string };
  readonly expires_at: number;
  readonly issued_at: number;
  readonly hint: string;
}

/** One stream: what arrives, in order. */
export interface RawStream {
  /** The next message, from trust domain to JWK Set, or to certificates in base64; or the status that ended the stream. */
  next(): Promise<RawOutcome<{ readonly bundles: Readonly<Record<string, string>> }>>;
  cancel(): void;
}

/** A gRPC client that sends what it is told and judges nothing. */
export interface RawDelegate {
  fetch(request: object): Promise<RawOutcome<{ readonly svids: readonly RawSvid[] }>>;
  /** Any method of any service, with bytes for a message. */
  call(path: string, bytes: Uint8Array): Promise<RawOutcome<object>>;
  subscribe(kind?: 'JWT' | 'X.509'): RawStream;
}

const SERVICE = '/spire.api.agent.delegatedidentity.v1.DelegatedIdentity';

/** @param atEnd takes the function that closes it: the end of the test if left out */
export function createRawDelegate(
  socketPath: string,
  atEnd: (close: () => void) => void = onTestFinished,
): RawDelegate {
  const { FetchJWTSVIDs, SubscribeToJWTBundles, SubscribeToX509Bundles } = loadDelegatedIdentityService();
  const client = new Client(`unix:${socketPath}`, credentials.createInsecure());
  atEnd(() => client.close());

  function unary<Q, A extends object>(
    path: string,
    serialize: (request: Q) => Buffer,
    deserialize: (bytes: Buffer) => A,
    request: Q,
  ): Promise<RawOutcome<A>> {
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, serialize, deserialize, request, new Metadata(), {}, (error, answer) => {
        if (error !== null) resolve(statusOf(error));
        else if (answer === undefined) reject(new Error('neither an answer nor an error'));
        else resolve(answer);
      });
    });
  }

  return {
    fetch: (request) =>
      unary(
        `${SERVICE}/FetchJWTSVIDs`,
        FetchJWTSVIDs.requestSerialize,
        (bytes) => ({ svids: readSvids(FetchJWTSVIDs.responseDeserialize(bytes)) }),
        request,
      ),
    call: (path, bytes) =>
      unary(
        path,
        (sent: Uint8Array) => Buffer.from(sent),
        () => ({}),
        bytes,
      ),
    subscribe(kind = 'JWT') {
      const arrived: RawOutcome<{ bundles: Record<string, string> }>[] = [];
      const waiting: ((outcome: RawOutcome<{ bundles: Record<string, string> }>) => void)[] = [];
      const arrive = (outcome: RawOutcome<{ bundles: Record<string, string> }>): void => {
        const next = waiting.shift();
        if (next === undefined) arrived.push(outcome);
        else next(outcome);
      };
      const method = kind === 'JWT' ? SubscribeToJWTBundles : SubscribeToX509Bundles;
      const { path, requestSerialize, responseDeserialize } = method;
      const call = client.makeServerStreamRequest(
        path,
        requestSerialize,
        (bytes: Buffer) => ({ bundles: readBundles(responseDeserialize(bytes)) }),
        {},
      );
      call.on('data', arrive);
      call.on('error', (error: ServiceError) => arrive(statusOf(error)));
      return {
        next: () => {
          const outcome = arrived.shift();
          return outcome === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(outcome);
        },
        cancel: () => call.cancel(),
      };
    },
  };
}

function statusOf({ code, details }: ServiceError): { code: number; details: string } {
  return { code, details };
}

function readSvids(message: object): RawSvid[] {
  if (!('svids' in message) || !Array.isArray(message.svids)) throw new Error('no svids');
  return message.svids;
}

function readBundles(message: object): Record<string, string> {
  const { bundles, ca_certificates: certificates } = Object(message);
  const encoding = bundles === undefined ? 'base64' : 'utf8';
  return Object.fromEntries(
    Object.entries(bundles ?? certificates).map(([name, bytes]) => {
      if (!(bytes instanceof Uint8Array)) throw new Error('no bytes');
      return [name, Buffer.from(bytes).toString(encoding)];
    }),
  );
}
