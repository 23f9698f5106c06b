import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServerWritableStream,
  status,
} from '@grpc/grpc-js';
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { loadDelegatedIdentityService } from '../identity/delegated-identity/api.ts';
import { parseAudience } from '../spiffe/audience.ts';
import type { Selector } from '../spiffe/selector.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import type { Authority } from './authority.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import type { RegistrationEntry } from './registration-entries.ts';
import { createSvidCache } from './svid-cache.ts';

export interface DelegatedIdentityServerOptions {
  /** The absolute path of the socket; its folder must be private already. */
  readonly socketPath: string;
  readonly trustDomain: TrustDomain;
  readonly authority: Pick<Authority, 'mint' | 'jwkSet' | 'onChange' | 'isTainted'>;
  readonly certificateAuthority: Pick<CertificateAuthority, 'bundle' | 'onChange'>;
  readonly clock: Clock;
  /** The entries in force now. */
  entries(): readonly RegistrationEntry[];
  /** What the agent would find out about the calling process. Everybody who can open the socket is the same one. */
  caller(): 'authorized' | 'unauthorized' | 'unknown';
}

/**
 * SPIRE agent's admin socket, Delegated Identity API: what SPIRE answers, for the same reasons, in the same order. One
 * contract (test/contract/) is held against both. What differs, and stays so:
 *
 * - Entries, callers and keys are in force at once. SPIRE's agent hears of them within ten seconds.
 * - What cannot be signed is refused at once. SPIRE 1.16 tries for half a minute inside the agent; 1.15 does not.
 * - No process is attested: a living `pid` is refused like one that is not there. X509-SVIDs cannot be subscribed to.
 * - A JWT-SVID is renewed at half of its life; SPIRE jitters that by a tenth.
 * - A key is published up to its own end; SPIRE keeps it a day longer.
 * - The texts beside Unimplemented and Internal are the gRPC library's.
 */
export interface DelegatedIdentityServer {
  close(): Promise<void>;
}

const fetchRequest = z.object({
  audience: z.array(z.string()),
  selectors: z.array(z.object({ type: z.string(), value: z.string() })),
  pid: z.number(),
});

/** A refusal with the code and text that SPIRE's agent has for it (pkg/agent/api/delegatedidentity/v1/service.go). */
class Refusal extends Error {
  readonly code: status;
  readonly details: string;
  readonly metadata = new Metadata();

  constructor(code: status, details: string) {
    super(details);
    this.code = code;
    this.details = details;
  }
}

export async function startDelegatedIdentityServer(
  options: DelegatedIdentityServerOptions,
): Promise<DelegatedIdentityServer> {
  const { authority, certificateAuthority, trustDomain } = options;
  const cached = createSvidCache(options);

  async function fetchJwtSvids(message: object): Promise<object> {
    const { audience, selectors, pid } = fetchRequest.parse(message);
    if (audience.length === 0) throw new Refusal(status.INVALID_ARGUMENT, 'audience must be specified');
    authorize(options.caller());
    if (selectors.length > 0 === (pid !== 0)) {
      throw new Refusal(status.INVALID_ARGUMENT, 'must provide either selectors or non-zero PID, but not both');
    }
    if (pid !== 0) throw new Refusal(status.UNAVAILABLE, 'workload attestation failed');
    if (!selectors.every(isWellFormed)) {
      throw new Refusal(status.INVALID_ARGUMENT, 'could not parse provided selectors');
    }
    const entries = options.entries().filter((entry) => isForDelegates(entry) && matches(entry, selectors));
    if (entries.length === 0) throw new Refusal(status.PERMISSION_DENIED, 'no identity issued');
    // One after the other, as SPIRE does: entries of one SPIFFE ID share a token.
    const svids: object[] = [];
    for (const entry of entries) svids.push(await fetchJwtSvid(entry, audience));
    return { svids };
  }

  async function fetchJwtSvid({ spiffeId, jwtSvidTtl, hint }: RegistrationEntry, sentAudience: readonly string[]) {
    // SPIRE's server drops blank audiences, and cannot sign when none is left.
    const audience = parseAudience(sentAudience.filter((name) => name !== ''));
    if (audience === undefined) {
      throw new Refusal(
        status.UNAVAILABLE,
        'could not fetch JWT-SVID: failed to fetch JWT SVID: rpc error: code = Internal desc = failed to sign JWT-SVID: invalid JWT-SVID audience: cannot be empty',
      );
    }
    const { token, issuedAt, expiresAt } = await cached({ spiffeId, sentAudience, audience, ttl: jwtSvidTtl });
    return {
      token,
      id: { trust_domain: spiffeId.trustDomain.name, path: spiffeId.path },
      expires_at: expiresAt,
      issued_at: issuedAt,
      hint,
    };
  }

  const unary: handleUnaryCall<object, object> = (call, callback) => {
    fetchJwtSvids(call.request).then(
      (response) => callback(null, response),
      (error: unknown) => callback(error instanceof Refusal ? error : new Refusal(status.INTERNAL, 'internal error')),
    );
  };

  const jwtBundles = createBundleStreams(options, () => ({
    bundles: { [trustDomain.id]: Buffer.from(authority.jwkSet()) },
  }));
  const x509Bundles = createBundleStreams(options, () => ({
    ca_certificates: { [trustDomain.id]: certificateAuthority.bundle() },
  }));
  const subscriptions = [authority.onChange(jwtBundles.push), certificateAuthority.onChange(x509Bundles.push)];

  const server = new Server();
  const service = loadDelegatedIdentityService();
  server.addService(
    { ...service },
    { FetchJWTSVIDs: unary, SubscribeToJWTBundles: jwtBundles.handle, SubscribeToX509Bundles: x509Bundles.handle },
  );
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${options.socketPath}`, ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
  return {
    async close() {
      for (const unsubscribe of subscriptions) unsubscribe();
      server.forceShutdown();
    },
  };
}

/** The streams of one kind of bundle: each message is the complete state. */
function createBundleStreams(
  { caller }: Pick<DelegatedIdentityServerOptions, 'caller'>,
  message: () => object,
): { readonly handle: handleServerStreamingCall<object, object>; push(): void } {
  const streams = new Set<ServerWritableStream<object, object>>();

  /** SPIRE checks the caller again whenever it has something to send. */
  function send(call: ServerWritableStream<object, object>): void {
    try {
      authorize(caller());
      call.write(message());
    } catch (refusal) {
      streams.delete(call);
      call.emit('error', refusal);
    }
  }

  return {
    handle(call) {
      streams.add(call);
      call.on('close', () => streams.delete(call));
      call.on('cancelled', () => streams.delete(call));
      send(call);
    },
    push() {
      for (const call of streams) send(call);
    },
  };
}

function authorize(caller: ReturnType<DelegatedIdentityServerOptions['caller']>): void {
  if (caller === 'unknown') throw new Refusal(status.PERMISSION_DENIED, 'no identity issued');
  if (caller === 'unauthorized') {
    throw new Refusal(status.PERMISSION_DENIED, 'caller not configured as an authorized delegate');
  }
}

function isWellFormed({ type, value }: Selector): boolean {
  return type !== '' && !type.includes(':') && value !== '';
}

/** SPIRE gives the identities of its own administrators and downstream servers to no delegate. */
function isForDelegates({ admin = false, downstream = false }: RegistrationEntry): boolean {
  return !admin && !downstream;
}

/** An entry matches when all of its selectors are among those sent; the comparison is exact. */
function matches(entry: RegistrationEntry, sent: readonly Selector[]): boolean {
  return entry.selectors.every(({ type, value }) => sent.some((other) => other.type === type && other.value === value));
}
