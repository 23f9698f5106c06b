import { isIP } from 'node:net';
import { connect, type PeerCertificate } from 'node:tls';
import type { IssuerConfig } from '../config/config.ts';
import { systemErrorCode } from '../config/read-file.ts';
import { type Finding, ok } from './walk.ts';
import type { World } from './world.ts';

const DAY_MS = 86_400_000;

/** A certificate should be renewed before this many days are left, or a fifth of its life, whichever is less. */
const WARN_DAYS = 14;

const PUBLIC_AUTHORITY = 'Clouds know public certificate authorities: get a certificate from one.';
const WHOLE_CHAIN = `Serve the whole chain, every intermediate certificate included. ${PUBLIC_AUTHORITY}`;

/** What to do about what OpenSSL finds (openssl-verification-options, error codes), and Node itself. */
const ADVICE: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'Renew it.',
  CERT_NOT_YET_VALID: 'Compare the clocks; or it was put in place too early.',
  ERR_TLS_CERT_ALTNAME_INVALID: 'Get one for this host, or correct "issuer".',
  DEPTH_ZERO_SELF_SIGNED_CERT: PUBLIC_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: PUBLIC_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: WHOLE_CHAIN,
  UNABLE_TO_GET_ISSUER_CERT: WHOLE_CHAIN,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: WHOLE_CHAIN,
};

/** Whether the issuer has a certificate that a cloud accepts, and for how long still. */
export async function lookAtIssuerCertificate({ issuer }: IssuerConfig, world: World): Promise<Finding<undefined>> {
  const { protocol, hostname, port } = new URL(issuer.url);
  // The configuration allows that on loopback only.
  if (protocol === 'http:') return ok('none: plain HTTP on this machine, for development');
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const seen = await handshake(host, port === '' ? 443 : Number(port), world);
  if (typeof seen === 'string') {
    return bad(`no TLS connection to ${hostname}:${port || 443} (${seen})`, adviceForConnection(seen));
  }
  const { certificate, problem } = seen;
  const validTo = Date.parse(certificate.valid_to);
  const description = `for ${certificate.subjectaltname ?? 'no name'}, until ${isoDate(validTo)}`;
  if (problem !== undefined) {
    return bad(
      `the certificate of ${hostname} is not accepted (${problem}): it is ${description}`,
      ADVICE[problem] ?? 'A cloud will not accept it either.',
    );
  }
  const leftMs = validTo - world.clock.now();
  const lifeMs = validTo - Date.parse(certificate.valid_from);
  const left = `${Math.floor(leftMs / DAY_MS)} days left`;
  if (leftMs >= Math.min(WARN_DAYS * DAY_MS, lifeMs / 5)) return ok(`${description}, ${left}`);
  return {
    status: 'warn',
    saw: `${description}, ${left}`,
    advice: 'Renew it, and see why that has not happened by itself.',
    value: undefined,
  };
}

interface Seen {
  readonly certificate: PeerCertificate;
  /** Why it is not accepted, as OpenSSL or Node names it. */
  readonly problem: string | undefined;
}

/** One handshake, after which the connection is closed with nothing sent. Gives the system's error code where there is none. */
function handshake(host: string, port: number, { ca, clock, limitMs }: World): Promise<Seen | string> {
  return new Promise((resolve) => {
    const socket = connect({
      host,
      port,
      // A server name is a name, not an address (RFC 6066 section 3).
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(ca === undefined ? {} : { ca }),
      // Verified all the same: this only lets the handshake end, so that a certificate that is refused can be described.
      rejectUnauthorized: false,
    });
    const settle = (seen: Seen | string): void => {
      timer.cancel();
      socket.destroy();
      resolve(seen);
    };
    const timer = clock.after(limitMs, () => settle('ETIMEDOUT'));
    socket.on('error', (error) => settle(systemErrorCode(error)));
    socket.once('secureConnect', () => {
      const refusal: unknown = socket.authorizationError;
      const problem = socket.authorized ? undefined : refusal instanceof Error ? refusal.message : String(refusal);
      settle({ certificate: socket.getPeerCertificate(), problem });
    });
  });
}

function adviceForConnection(code: string): string {
  if (code === 'ECONNREFUSED') return 'Is what terminates TLS for the issuer running, and does it listen there?';
  if (code === 'ETIMEDOUT') return 'Does a firewall drop the connection? Clouds come from the internet.';
  return 'Does what listens there speak TLS 1.2 or newer?';
}

function isoDate(time: number): string {
  return Number.isNaN(time) ? 'an unreadable date' : new Date(time).toISOString().slice(0, 10);
}

function bad(saw: string, advice: string): Finding<never> {
  return { status: 'fail', saw, advice };
}
