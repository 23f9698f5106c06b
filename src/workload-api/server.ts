import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Metadata,
  Server,
  ServerCredentials,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import { SvidxError } from '../base/errors.ts';
import type { JwtBundleSource } from '../identity/source.ts';
import { loadWorkloadApiService, SECURITY_HEADER } from '../identity/workload-contract.ts';
import type { JwtProfile } from './jwt-profile.ts';
import { statusAnswer } from './status.ts';

export interface WorkloadApiServerOptions {
  /** The absolute path of the socket; its folder must be private already. */
  readonly socketPath: string;
  readonly profile: JwtProfile;
  readonly bundles: Pick<JwtBundleSource, 'onChange'>;
}

export interface WorkloadApiServer {
  /** Ends every call and stream. May be called again. */
  close(): Promise<void>;
}

const LIMITS = {
  /** Bytes. Far above a request, whose largest part is a token of at most 20,000 characters. */
  'grpc.max_receive_message_length': 64 * 1024,
  /** On each connection. A client needs one stream and a few calls beside it. */
  'grpc.max_concurrent_streams': 100,
};

/**
 * The SPIFFE Workload API for one component: whoever can open the socket is that component. Methods of other profiles
 * (X.509-SVID, WIT-SVID) are Unimplemented, as section 3 of the Workload API has it for what is not supported.
 * @throws SvidxError `internal_error` when the socket cannot be made
 */
export async function startWorkloadApiServer(options: WorkloadApiServerOptions): Promise<WorkloadApiServer> {
  const { profile, bundles, socketPath } = options;
  const streams = new Set<ServerWritableStream<object, object>>();

  function unary(answer: (request: object) => Promise<object>): handleUnaryCall<object, object> {
    return async (call, callback) => {
      try {
        requireSecurityHeader(call.metadata);
        callback(null, await answer(call.request));
      } catch (error) {
        callback(statusAnswer(error));
      }
    };
  }

  /** Each message is the complete state; the caller is looked at again each time, as SPIRE does. */
  function push(call: ServerWritableStream<object, object>): void {
    try {
      call.write(profile.jwtBundles());
    } catch (error) {
      streams.delete(call);
      call.emit('error', statusAnswer(error));
    }
  }

  const stream: handleServerStreamingCall<object, object> = (call) => {
    try {
      requireSecurityHeader(call.metadata);
    } catch (error) {
      call.emit('error', statusAnswer(error));
      return;
    }
    streams.add(call);
    call.on('close', () => streams.delete(call));
    call.on('cancelled', () => streams.delete(call));
    push(call);
  };

  const unsubscribe = bundles.onChange(() => {
    for (const call of [...streams]) push(call);
  });

  const server = new Server(LIMITS);
  const { FetchJWTSVID, FetchJWTBundles, ValidateJWTSVID } = loadWorkloadApiService();
  server.addService(
    { FetchJWTSVID, FetchJWTBundles, ValidateJWTSVID },
    {
      FetchJWTSVID: unary(profile.fetchJwtSvid),
      FetchJWTBundles: stream,
      ValidateJWTSVID: unary(profile.validateJwtSvid),
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socketPath}`, ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
  return {
    async close() {
      unsubscribe();
      streams.clear();
      server.forceShutdown();
    },
  };
}

/** SPIFFE Workload Endpoint section 5; like SPIRE, once and to the letter. */
function requireSecurityHeader(metadata: Metadata): void {
  const [value, ...more] = metadata.get(SECURITY_HEADER.name);
  if (value === SECURITY_HEADER.value && more.length === 0) return;
  throw new SvidxError('request_invalid', 'security header missing from request');
}
