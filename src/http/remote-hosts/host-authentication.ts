import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Clock } from '../../base/clock.ts';
import { SvidxError } from '../../base/errors.ts';
import type { X509BundleSource } from '../../identity/source.ts';
import { verifyX509Svid, type X509Svid } from '../../spiffe/x509-svid.ts';

export interface HostAuthenticationOptions {
  readonly bundles: Pick<X509BundleSource, 'get' | 'all'>;
  readonly clock: Clock;
}

/** What was shown on one connection, and what it last came to. */
interface Shown {
  readonly chain: readonly Uint8Array[];
  svid?: X509Svid;
}

/**
 * Makes the check who is at the other end of a connection: an X509-SVID, verified with the bundles in force now. Connections
 * live long, so each request asks anew: an authority that was withdrawn meanwhile, or a certificate that has expired, counts for
 * nothing from then on. Where nothing has changed, nothing is computed again.
 * @returns a function that throws SvidxError `certificate_*`, or `bundle_unavailable` before the first bundle
 */
export function createHostAuthentication({ bundles, clock }: HostAuthenticationOptions): (socket: Socket) => X509Svid {
  const connections = new WeakMap<Socket, Shown>();

  function stillHolds({ spiffeId, bundle, validUntil }: X509Svid): boolean {
    return bundles.get(spiffeId.trustDomain) === bundle && clock.now() <= validUntil;
  }

  return (socket) => {
    const shown = connections.get(socket) ?? { chain: shownChain(socket) };
    connections.set(socket, shown);
    if (shown.svid !== undefined && stillHolds(shown.svid)) return shown.svid;
    if (bundles.all().length === 0) {
      throw new SvidxError('bundle_unavailable', 'no X.509 bundle has arrived yet: nobody can be verified');
    }
    shown.svid = verifyX509Svid(shown.chain, { bundles, now: clock.now() });
    return shown.svid;
  };
}

/** The certificates that the other end showed, its own first. TLS has seen that it has the key of that one. */
function shownChain(socket: Socket): readonly Uint8Array[] {
  const chain: Uint8Array[] = [];
  let next = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
  while (next !== undefined) {
    chain.push(next.raw);
    // The next one that was sent, whether or not it is the issuer of this one.
    next = next.issuerCertificate;
  }
  return chain;
}
