import { connect, isIP, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';
import { abortable } from '../../base/abortable.ts';
import type { Clock } from '../../base/clock.ts';
import { EgressError } from './error-code.ts';
import { toDnsError } from './error-table.ts';
import type { RequestTarget } from './request-target.ts';

/**
 * Finds the addresses of a host, as the system would.
 * @throws an error with a `code` such as ENOTFOUND
 */
export type Lookup = (host: string) => Promise<readonly string[]>;

export interface ConnectOptions {
  readonly target: Pick<RequestTarget, 'scheme' | 'host' | 'port'>;
  /** May a connection be made to this address? */
  isPermitted(address: string): boolean;
  readonly lookup: Lookup;
  /** The certificate authorities that may have signed the server. */
  secureContext(): SecureContext;
  readonly clock: Clock;
  /** For name, connection and TLS together. Milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Opens a connection for one request to a permitted address of the host, with TLS for `https`.
 *
 * The name is resolved once, here; the connection goes to one of the addresses that were found and checked, and that it does
 * is checked once more. So a name that gives another address the next time (DNS rebinding) gains nothing. Of several addresses
 * those that are not permitted are left out.
 * @throws EgressError, or the signal's reason
 */
export async function openConnection(options: ConnectOptions, signal: AbortSignal): Promise<Socket> {
  const { target, isPermitted, clock, timeoutMs } = options;
  signal.throwIfAborted();
  const timeout = new AbortController();
  let late = new EgressError('DNS-timeout', 'its name was not resolved in time');
  const timer = clock.after(timeoutMs, () => timeout.abort(late));
  const ended = AbortSignal.any([signal, timeout.signal]);
  try {
    const addresses = (await resolve(options, ended)).filter(isPermitted);
    if (addresses.length === 0) throw prohibited();
    late = new EgressError('connection-timeout', 'no connection in time');
    const socket = await connected(addresses, target, ended);
    if (!isPermitted(socket.remoteAddress ?? '')) {
      socket.destroy();
      throw prohibited();
    }
    return target.scheme === 'https' ? await secured(socket, target.host, options.secureContext(), ended) : socket;
  } finally {
    timer.cancel();
  }
}

async function resolve({ target: { host }, lookup }: ConnectOptions, signal: AbortSignal): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  const found = lookup(host).catch((error: unknown) => {
    throw toDnsError(error);
  });
  return abortable(found, signal);
}

/** Tries the addresses as Node does with what it has resolved itself, both families in turn (RFC 8305). */
function connected(
  addresses: readonly string[],
  { host, port }: ConnectOptions['target'],
  signal: AbortSignal,
): Promise<Socket> {
  const [first, second] = addresses;
  const all = addresses.map((address) => ({ address, family: isIP(address) }));
  const known: LookupFunction = (_host, _options, callback) => callback(null, all);
  const socket =
    second === undefined && first !== undefined
      ? connect({ host: first, port, noDelay: true })
      : connect({ host, port, noDelay: true, lookup: known, autoSelectFamily: true });
  return ready(socket, 'connect', signal);
}

/** The certificate is always verified, whatever the environment says (NODE_TLS_REJECT_UNAUTHORIZED), for exactly this host. */
function secured(socket: Socket, host: string, secureContext: SecureContext, signal: AbortSignal): Promise<Socket> {
  // RFC 6066 section 3: an address is no name to send.
  const servername = isIP(host) === 0 ? host : '';
  const ALPNProtocols = ['http/1.1'];
  const tls = connectTls({ socket, host, servername, secureContext, rejectUnauthorized: true, ALPNProtocols });
  return ready(tls, 'secureConnect', signal);
}

/** @throws what the socket fails with, or the signal's reason; then it is destroyed */
async function ready(socket: Socket, event: 'connect' | 'secureConnect', signal: AbortSignal): Promise<Socket> {
  let abort = (): void => {};
  try {
    await new Promise<void>((resolve, reject) => {
      abort = () => reject(signal.reason);
      signal.addEventListener('abort', abort);
      if (signal.aborted) abort();
      socket.once(event, resolve);
      // Not once: what comes after the first is of no interest, but must find a listener.
      socket.on('error', reject);
      socket.once('close', () => reject(new EgressError('connection-terminated', 'closed while it was being made')));
    });
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function prohibited(): EgressError {
  return new EgressError('destination-IP-prohibited', 'no address of the host is one that the policy allows');
}
