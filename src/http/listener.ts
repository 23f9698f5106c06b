import { chmod, lstat, mkdir, mkdtemp, rename, rmdir, unlink } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import type { ListenAddress } from '../config/listen-address.ts';
import { systemErrorCode } from '../config/read-file.ts';
import { sendError } from './errors.ts';

/** Slow clients are cut off (milliseconds): nothing this service reads or writes is large. */
const TIMEOUTS = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 2_000,
};

/** How long requests under way may take to finish once the listener closes. Milliseconds. */
const DRAIN_MS = 10_000;

/** Linux: `sun_path` holds 108 bytes with the terminating zero. */
const MAX_SOCKET_PATH_BYTES = 107;

/** A listening server. Until `handle` is called it answers 503. */
export interface Listener {
  /** `http://127.0.0.1:1234`, or `unix:/path`. */
  readonly url: string;
  handle(listener: RequestListener): void;
  /** Stops listening and waits for the requests under way, at most ten seconds. May be called again. */
  close(): Promise<void>;
}

/**
 * Listens for HTTP on a TCP address.
 * @throws SvidxError `config_invalid` when the address cannot be had
 */
export async function listenOnTcp({ host, port }: ListenAddress, clock: Clock): Promise<Listener> {
  const { server, handle } = createSwitchedServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(cannotListen(`${host}:${port}`, error)));
    server.listen({ host, port }, resolve);
  });
  const address = server.address();
  const boundPort = typeof address === 'object' && address !== null ? address.port : port;
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${boundPort}`;
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
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await refuseOccupied(path);
    const { server, handle } = createSwitchedServer();
    const staging = await mkdtemp(join(folder, '.svidx-'));
    const staged = join(staging, 's');
    const longest = staged.length > path.length ? staged : path;
    if (Buffer.byteLength(longest) > MAX_SOCKET_PATH_BYTES) {
      await rmdir(staging);
      throw new SvidxError('config_invalid', `the private socket ${path}: the path is too long for a unix socket`);
    }
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(staged, resolve);
    });
    await chmod(staged, 0o600);
    await rename(staged, path);
    await rmdir(staging);
    const close = once(async () => {
      await unlink(path).catch(() => {});
      await drain(server, clock);
    });
    return { url: `unix:${path}`, handle, close };
  } catch (error) {
    throw error instanceof SvidxError ? error : cannotListen(path, error);
  }
}

async function refuseOccupied(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket())
    throw new SvidxError('config_invalid', `the private socket ${path}: a file of that name is there`);
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.once('error', () => resolve(false));
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
  });
  if (alive) throw new SvidxError('config_invalid', `the private socket ${path}: another service is listening there`);
}

function createSwitchedServer(): { server: Server; handle(listener: RequestListener): void } {
  let current: RequestListener = (_request, response) => {
    sendError(response, new SvidxError('service_stopping', 'the service is not ready to answer'));
  };
  const server = createServer(TIMEOUTS, (request, response) => current(request, response));
  return {
    server,
    handle(listener) {
      current = listener;
    },
  };
}

async function drain(server: Server, clock: Clock): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
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
