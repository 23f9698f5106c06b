import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { z } from 'zod';
import type { BundleStreamHandlers } from '../bundle-stream.ts';
import { loadWorkloadApiService, SECURITY_HEADER } from '../workload-contract.ts';

const jwtBundlesResponse = z.object({ bundles: z.record(z.string(), z.instanceof(Uint8Array)) });

/** What a message says, or `undefined` where it cannot be read. */
interface Read {
  readonly bundles: Readonly<Record<string, Uint8Array>> | undefined;
}

/** The SPIFFE Workload API on the wire: no meaning added, no retry. */
export interface WorkloadApi {
  /** Opens a stream on a connection of its own. Returns the function that cancels it, after which no handler is called. */
  fetchJwtBundles(handlers: BundleStreamHandlers): () => void;
}

const CHANNEL_OPTIONS = {
  // A connection for each stream: see BundleStreamOptions.
  'grpc.use_local_subchannel_pool': 1,
  // The endpoint is on this machine, whatever the environment says of proxies.
  'grpc.enable_http_proxy': 0,
};

/**
 * @param target the endpoint as gRPC writes it, `unix:/path` or `ipv4:127.0.0.1:8081`. Plain gRPC: the endpoint attests
 *   the connecting process itself, without any proof of ours (SPIFFE Workload Endpoint section 5)
 */
export function createWorkloadApi(target: string): WorkloadApi {
  const { path, requestSerialize, responseDeserialize } = loadWorkloadApiService().FetchJWTBundles;

  /** Never throws: gRPC would report that as an INTERNAL status, as though the agent had failed, and end the stream. */
  function read(bytes: Buffer): Read {
    try {
      return jwtBundlesResponse.parse(responseDeserialize(bytes));
    } catch {
      return { bundles: undefined };
    }
  }

  return {
    fetchJwtBundles({ onMessage, onEnd }) {
      const client = new Client(target, credentials.createInsecure(), CHANNEL_OPTIONS);
      const metadata = new Metadata();
      metadata.set(SECURITY_HEADER.name, SECURITY_HEADER.value);
      const call = client.makeServerStreamRequest(path, requestSerialize, read, {}, metadata, {});
      let open = true;
      const end = (error?: ServiceError): void => {
        if (!open) return;
        open = false;
        client.close();
        onEnd(error);
      };
      call.on('data', ({ bundles }: Read) => {
        if (open) onMessage(bundles);
      });
      call.on('error', end);
      call.on('end', () => end());
      return () => {
        open = false;
        call.cancel();
        client.close();
      };
    },
  };
}
