import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createEndpointJwtBundleSource } from '../../src/identity/bundle-endpoint/jwt-bundle-source.ts';
import type { RunningJwtBundleSource } from '../../src/identity/source.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { createMemoryLog, type MemoryLog } from '../fakes/log.ts';
import { createRecordingClock, type RecordingClock } from '../fakes/recording-clock.ts';
import { createCertificate, type TestCertificate } from './certificates.ts';
import { type HttpsServer, startHttpsServer } from './https-server.ts';
import { publicJwk } from './signing-keys.ts';
import { tempFolder } from './temp.ts';

/** How long one request may take, in milliseconds of the fake clock. */
export const REQUEST_MS = 4_999;

/** A SPIFFE bundle with these keys for JWT-SVIDs, and one for X.509-SVIDs. */
export function bundleDocument(kids: readonly string[], members: object = {}): string {
  const keys = kids.map((kid) => ({ kid, use: 'jwt-svid', ...publicJwk(`example.org/ec-p256-${kid}`) }));
  const x509 = { use: 'x509-svid', ...publicJwk('example.org/ec-p256-x509'), x5c: ['AAAA'] };
  return JSON.stringify({ keys: [x509, ...keys], spiffe_sequence: 1, spiffe_refresh_hint: 600, ...members });
}

/** A source at a bundle endpoint, its clock in the test's hands. */
export interface EndpointWorld {
  readonly server: HttpsServer;
  readonly source: RunningJwtBundleSource;
  readonly clock: RecordingClock;
  readonly log: MemoryLog;
  /** Where the source reads the certificates that it trusts. */
  readonly caFile: string;
  /** The IDs of the keys held for `example.org`; `undefined` when there is no bundle. */
  keys(): readonly string[] | undefined;
  /** The wait after the request that is under way: it is over then. */
  nextWait(): Promise<number>;
  /** Lets that wait pass and answers, after the request, with the next one. */
  poll(): Promise<number>;
  logged(event: string): Record<string, unknown>[];
}

export interface EndpointOptions {
  readonly handle?: HttpsServer['handle'];
  readonly certificate?: TestCertificate;
  /** Instead of the server's own certificate; `null` for Node's list. */
  readonly ca?: string | null;
  readonly path?: string;
  readonly random?: () => number;
}

export async function openEndpoint(options: EndpointOptions = {}): Promise<EndpointWorld> {
  const certificate = options.certificate ?? createCertificate({ hosts: ['localhost'] });
  const server = await startHttpsServer(certificate);
  if (options.handle !== undefined) server.handle = options.handle;
  const caFile = join(await tempFolder(), 'ca.pem');
  await writeFile(caFile, options.ca ?? certificate.cert);
  const clock = createRecordingClock();
  const log = createMemoryLog();
  const source = createEndpointJwtBundleSource({
    trustDomain: TrustDomain.parse('example.org'),
    url: server.url + (options.path ?? '/bundle'),
    caFile: options.ca === null ? undefined : caFile,
    clock,
    random: options.random ?? (() => 0),
    logger: log.logger,
    timeoutMs: REQUEST_MS,
  });
  onTestFinished(source.close);
  const nextWait = async (): Promise<number> => {
    for (;;) {
      const waitMs = await clock.nextDelay();
      if (waitMs !== REQUEST_MS) return waitMs;
    }
  };
  return {
    server,
    source,
    clock,
    log,
    caFile,
    keys: () => source.get(TrustDomain.parse('example.org'))?.authorities.map(({ keyId }) => keyId),
    nextWait,
    async poll() {
      const waitMs = clock.delays.at(-1) ?? 0;
      await clock.advance(waitMs);
      return nextWait();
    },
    logged: (event) => log.entries().filter((entry) => entry['event'] === event),
  };
}
