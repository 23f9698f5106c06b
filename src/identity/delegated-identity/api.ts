import { fileURLToPath } from 'node:url';
import { Client, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';
import { z } from 'zod';
import { SvidxError } from '../../base/errors.ts';
import type { Selector } from '../../spiffe/selector.ts';
import type { BundleStreamHandlers } from '../bundle-stream.ts';
import { WatchedCredentials } from './watched-credentials.ts';

const SERVICE_NAME = 'spire.api.agent.delegatedidentity.v1.DelegatedIdentity';

type Method = MethodDefinition<object, object>;

const METHODS = ['FetchJWTSVIDs', 'SubscribeToJWTBundles', 'SubscribeToX509Bundles'] as const;

/** The methods we speak, as gRPC definitions made from our `.proto` files. */
export type DelegatedIdentityService = Readonly<Record<(typeof METHODS)[number], Method>>;

/** Loads the contract from `proto/`; the embedded trust domain serves the same one. */
export function loadDelegatedIdentityService(): DelegatedIdentityService {
  const definitions = loadSync('spire/api/agent/delegatedidentity/v1/delegatedidentity.proto', {
    includeDirs: [fileURLToPath(new URL('../../../proto/', import.meta.url))],
    keepCase: true,
    longs: Number,
    defaults: true,
  });
  const service = definitions[SERVICE_NAME];
  if (!isDelegatedIdentity(service)) throw new Error(`proto/ does not define ${SERVICE_NAME}`);
  return service;
}

function isDelegatedIdentity(definition: unknown): definition is DelegatedIdentityService {
  return typeof definition === 'object' && definition !== null && METHODS.every((method) => method in definition);
}

const fetchJwtSvidsResponse = z.object({
  svids: z.array(
    z.object({
      token: z.string(),
      id: z.object({ trust_domain: z.string(), path: z.string() }).nullable(),
    }),
  ),
});

const bundleMap = z.record(z.string(), z.instanceof(Uint8Array));
const jwtBundlesResponse = z.object({ bundles: bundleMap }).transform(({ bundles }) => bundles);
const x509BundlesResponse = z.object({ ca_certificates: bundleMap }).transform((message) => message.ca_certificates);

export interface WireJwtSvid {
  readonly token: string;
  readonly id: { readonly trust_domain: string; readonly path: string } | null;
}

/** SPIRE's Delegated Identity API on the wire: no meaning added, no retry. */
export interface DelegatedIdentityApi {
  /**
   * @param options.timeoutMs sent to the agent as the call's deadline
   * @throws ServiceError the gRPC status
   * @throws SvidxError `identity_response_invalid` for an answer that cannot be read
   */
  fetchJwtSvids(
    request: { readonly audience: readonly string[]; readonly selectors: readonly Selector[] },
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<readonly WireJwtSvid[]>;
  /** Opens the stream of JWK Sets. Returns the function that cancels it, after which no handler is called. */
  subscribeToJwtBundles(handlers: BundleStreamHandlers): () => void;
  /** The same of X.509 authorities, certificates in DER one after the other. */
  subscribeToX509Bundles(handlers: BundleStreamHandlers): () => void;
  close(): void;
}

/** What a message says, or `undefined` where it cannot be read. */
interface Read<T> {
  readonly message: T | undefined;
}

/**
 * Reads messages without ever throwing: gRPC would report that as an INTERNAL status, as though the agent had failed, and
 * end the stream.
 */
function reader<T>(method: Method, schema: z.ZodType<T>): (bytes: Buffer) => Read<T> {
  return (bytes) => {
    try {
      return { message: schema.parse(method.responseDeserialize(bytes)) };
    } catch {
      return { message: undefined };
    }
  };
}

const CHANNEL_OPTIONS = {
  // Clients do not share connections: one that hangs must not take the others with it.
  'grpc.use_local_subchannel_pool': 1,
  // Waits between attempts to connect to an agent that is away, in milliseconds: a local socket costs next to nothing.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 300,
  // What grpc-go allows a client to receive; far more than the bundles of many trust domains.
  'grpc.max_receive_message_length': 4 * 1024 * 1024,
};

/**
 * @param socketPath the absolute path of the agent's admin socket. Plain gRPC: the agent attests the connecting process
 *   itself (SPIRE agent configuration, admin_socket_path).
 */
export function createDelegatedIdentityApi(socketPath: string): DelegatedIdentityApi {
  const { FetchJWTSVIDs, SubscribeToJWTBundles, SubscribeToX509Bundles } = loadDelegatedIdentityService();
  const readJwtSvids = reader(FetchJWTSVIDs, fetchJwtSvidsResponse);
  const connection = new WatchedCredentials();
  const client = new Client(`unix:${socketPath}`, connection, CHANNEL_OPTIONS);

  function subscriber(
    method: Method,
    schema: z.ZodType<Readonly<Record<string, Uint8Array>>>,
  ): DelegatedIdentityApi['subscribeToJwtBundles'] {
    const read = reader(method, schema);
    return ({ onMessage, onEnd }) => {
      const call = client.makeServerStreamRequest(method.path, method.requestSerialize, read, {}, new Metadata(), {});
      let open = true;
      const end = (error?: ServiceError): void => {
        if (!open) return;
        open = false;
        onEnd(error);
      };
      call.on('data', ({ message }: Read<Readonly<Record<string, Uint8Array>>>) => {
        if (open) onMessage(message);
      });
      call.on('error', end);
      call.on('end', () => end());
      return () => {
        open = false;
        call.cancel();
      };
    };
  }

  return {
    fetchJwtSvids(request, { timeoutMs, signal }) {
      return new Promise((resolve, reject) => {
        const asked = connection.mark();
        const call = client.makeUnaryRequest(
          FetchJWTSVIDs.path,
          FetchJWTSVIDs.requestSerialize,
          readJwtSvids,
          request,
          new Metadata(),
          // gRPC keeps deadlines by the real clock, whatever clock the rest of the program goes by.
          { deadline: Date.now() + timeoutMs },
          (error, response) => {
            signal.removeEventListener('abort', cancel);
            if (error?.code === status.DEADLINE_EXCEEDED) connection.cutIfSilentSince(asked);
            if (error !== null) reject(error);
            else if (response?.message !== undefined) resolve(response.message.svids);
            else
              reject(new SvidxError('identity_response_invalid', 'the SPIRE agent sent an answer that cannot be read'));
          },
        );
        const cancel = (): void => call.cancel();
        signal.addEventListener('abort', cancel, { once: true });
        if (signal.aborted) cancel();
      });
    },

    subscribeToJwtBundles: subscriber(SubscribeToJWTBundles, jwtBundlesResponse),
    subscribeToX509Bundles: subscriber(SubscribeToX509Bundles, x509BundlesResponse),

    close: () => client.close(),
  };
}
