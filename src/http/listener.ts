import { constants } from 'node:crypto';
import { chmod, lstat, mkdir, mkdtemp, rename, rm, unlink } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import {
  createServer as createTlsServer,
  type Server as TlsServer,
  type ServerOptions as TlsServerOptions,
} from 'node:https';
import type { ListenOptions } from 'node:net';
import { dirname, join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import type { ListenAddress } from '../config/listen-address.ts';
import { systemErrorCode } from '../config/read-file.ts';
import { canConnect } from '../config/socket-probe.ts';
import type { TlsPair, WatchedTlsFiles } from '../config/tls-files.ts';
import { sendError } from './errors.ts';

/** Slow clients are cut off (milliseconds), and so are long ones (bytes): nothing this service reads or writes is large. */
const LIMITS = {
  /** The whole head of a request, its URL included. */
  maxHeaderSize: 8 * 1024,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 2_000,
};

/** In front of components, which read and write what they like: their own time limit holds as well. */
export const COMPONENT_LIMITS: typeof LIMITS = { ...LIMITS, maxHeaderSize: 32 * 1024, requestTimeout: 300_000 };

/** TLS 1.2 is the oldest that is safe (RFC 9325 section 3.1.1). A handshake is as slow as a head may be. Milliseconds. */
const TLS_LIMITS = { minVersion: 'TLSv1.2', handshakeTimeout: 5_000 } as const;

/**
 * Client certificates are asked for, and left to whoever answers the requests: OpenSSL would judge them once for a connection,
 * and by authorities of the system. So it is given none, and lets everybody in.
 *
 * Each connection makes its whole handshake, and one handshake: a resumed session would bring its certificate from an earlier
 * one, and a renegotiation another one on the way.
 */
const CLIENT_CERTIFICATES = {
  requestCert: true,
  rejectUnauthorized: false,
  ca: [],
  secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
};

/** Beyond it new connections are dropped, so that those there are can be served. */
const MAX_CONNECTIONS = 4_096;

/** How long requests under way may take to finish once the listener closes. Milliseconds. */
const DRAIN_MS = 10_000;

/** Linux: `sun_path` holds 108 bytes with the terminating zero. */
const MAX_SOCKET_PATH_BYTES = 107;

/** How long a service that listens there may take to be found. Milliseconds. */
const PROBE_LIMIT_MS = 5_000;

/** Where a private socket is made, in the folder where it will lie. */
const STAGING_PREFIX = '.svidx-';
const STAGED_NAME = 's';

/** A listening server. Until `handle` is called it answers 503. */
export interface Listener {
  /** `http://127.0.0.1:1234`, or `unix:/path`. */
  readonly url: string;
  handle(listener: RequestListener): void;
  /** Stops listening and waits for the requests under way, at most ten seconds. May be called again. */
  close(): Promise<void>;
}

/** A certificate to speak TLS with; each new connection gets the one that is current. */
export interface ListenerTls extends Pick<WatchedTlsFiles, 'current' | 'onChange'> {
  /** Whether clients are asked for their certificates. Whoever answers has to look at them: nothing else does. */
  readonly clientCertificates?: true;
}

/**
 * Listens for HTTP on a TCP address.
 * @param limits other than those of this service's own requests
 * @throws SvidxError `config_invalid` when the address cannot be had
 */
export async function listenOnTcp(
  { host, port }: ListenAddress,
  clock: Clock,
  tls?: ListenerTls,
  limits = LIMITS,
): Promise<Listener> {
  const { server, handle } = createSwitchedServer(tls && tlsOptions(tls, tls.current()), limits);
  server.maxConnections = MAX_CONNECTIONS;
  tls?.onChange((pair) => {
    if (isTlsServer(server)) server.setSecureContext(tlsOptions(tls, pair));
  });
  await listen(server, { host, port }).catch((error: unknown) => {
    throw cannotListen(`${host}:${port}`, error);
  });
  const address = server.address();
  const boundPort = typeof address === 'object' && address !== null ? address.port : port;
  const url = `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${boundPort}`;
  return { url, handle, close: once(() => drain(server, clock)) };
}

/**
 * Listens for HTTP on a unix socket that only this user can open (mode 0600).
 *
 * The socket is made in a folder of mode 0700 and moved to its place when its mode is right, so there is no moment in
 * which others could open it. A socket that a crashed service left behind is replaced; a live one is not.
 * @throws SvidxError `config_invalid` when the path cannot be had
 */
export async function listenOnPrivateSocket(path: string, clock: Clock): Promise<Listener> {
  const folder = dirname(path);
  refuseTooLong(path, join(folder, `${STAGING_PREFIX}XXXXXX`, STAGED_NAME));
  const { server, handle } = createSwitchedServer();
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await refuseOccupied(path, clock);
    const staging = await mkdtemp(join(folder, STAGING_PREFIX));
    try {
      const staged = join(staging, STAGED_NAME);
      // Linux refuses (EAGAIN) who finds the line before a unix socket full; Node's own 511 is less than a host may need.
      await listen(server, { path: staged, backlog: MAX_CONNECTIONS });
      await chmod(staged, 0o600);
      await rename(staged, path);
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
  } catch (error) {
    server.close();
    throw error instanceof SvidxError ? error : cannotListen(path, error);
  }
  const close = once(async () => {
    await unlink(path).catch(() => {});
    await drain(server, clock);
  });
  return { url: `unix:${path}`, handle, close };
}

function refuseTooLong(...paths: readonly string[]): void {
  if (paths.every((path) => Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES)) return;
  throw new SvidxError('config_invalid', `the private socket ${paths[0]}: the path is too long for a unix socket`);
}

async function refuseOccupied(path: string, clock: Clock): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket())
    throw new SvidxError('config_invalid', `the private socket ${path}: a file of that name is there`);
  // Only this says that nobody listens. A service that is too busy to take a connection, for one, says EAGAIN.
  if ((await canConnect(path, clock, PROBE_LIMIT_MS)) === 'ECONNREFUSED') return;
  throw new SvidxError('config_invalid', `the private socket ${path}: another service is listening there`);
}

function listen(server: Server, where: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    // It stays on: a connection that cannot be accepted later (no file handle left) is an error of the server too, and
    // one that nobody listened for would end the process.
    server.on('error', reject);
    server.listen(where, resolve);
  });
}

function tlsOptions({ clientCertificates }: ListenerTls, { cert, key }: TlsPair): TlsServerOptions {
  return { ...TLS_LIMITS, ...(clientCertificates && CLIENT_CERTIFICATES), cert, key };
}

function createSwitchedServer(
  tls?: TlsServerOptions,
  limits = LIMITS,
): { server: Server; handle(listener: RequestListener): void } {
  let current: RequestListener = (_request, response) => {
    sendError(response, new SvidxError('service_stopping', 'the service is not ready to answer'));
  };
  const answer: RequestListener = (request, response) => current(request, response);
  const server = tls === undefined ? createServer(limits, answer) : createTlsServer({ ...limits, ...tls }, answer);
  return {
    server,
    handle(listener) {
      current = listener;
    },
  };
}

function isTlsServer(server: Server | TlsServer): server is TlsServer {
  return 'setSecureContext' in server;
}

async function drain(server: Server, clock: Clock): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection that is answered from now on ends with that answer, instead of being kept alive for another request.
  server.keepAliveTimeout = 1;
  server.keepAliveTimeoutBuffer = 0;
  const timer = clock.after(DRAIN_MS, () => server.closeAllConnections());
  await closed;
  timer.cancel();
}

/** The work, done once however often it is asked for. */
function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= work();
    return done;
  };
}

function cannotListen(where: string, error: unknown): SvidxError {
  return new SvidxError('config_invalid', `cannot listen on ${where} (${systemErrorCode(error)})`, { cause: error });
}
