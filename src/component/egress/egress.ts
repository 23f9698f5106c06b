import { lookup } from 'node:dns/promises';
import { createSecureContext, type SecureContext } from 'node:tls';
import { abortable } from '../../base/abortable.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Broker } from '../../broker/broker.ts';
import type { ComponentInjection, Hosting } from '../../broker/hosting.ts';
import type { Caller } from '../../policy/evaluate.ts';
import { type EgressPermit, permitsEgress } from '../../policy/permits-egress.ts';
import { createAddressCheck } from './address-check.ts';
import { type CheckedRequest, checkRequest } from './checked-request.ts';
import { createShares, type Share } from './component-share.ts';
import { type Lookup, openConnection } from './connect.ts';
import { withoutEcho } from './echo-guard.ts';
import { EgressError } from './error-code.ts';
import { toEgressError } from './error-table.ts';
import { exchange } from './exchange.ts';
import { isPathHeader } from './header-rules.ts';
import { checkInjectable, inject, injectionFor, sentSecrets } from './injection.ts';
import type { IncomingResponse, OutgoingRequest } from './outgoing-request.ts';
import { toWireRequest } from './wire-request.ts';

/** The way out for the requests of components. */
export interface Egress {
  /**
   * Sends a request if the policy in force now grants it, with the credentials that the policy has for its target.
   * @param signal ends the request whenever it is aborted, its answer included
   * @throws EgressError, or the signal's reason
   */
  send(caller: Caller, request: OutgoingRequest, signal: AbortSignal): Promise<IncomingResponse>;
}

export interface EgressOptions {
  readonly hosting: Hosting;
  readonly broker: Pick<Broker, 'injected'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default: as the system does. */
  readonly lookup?: Lookup;
  /** The certificate authorities (PEM) that sign the servers. Default: those of Node, and NODE_EXTRA_CA_CERTS. */
  readonly ca?: string;
}

/** Where the component says nothing. Milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;
const FIRST_BYTE_TIMEOUT_MS = 30_000;
const BETWEEN_BYTES_TIMEOUT_MS = 30_000;

const SHARE_LIMITS = { maxRequests: 128, maxHeldBytes: 64 * 1024 * 1024 };

/**
 * A request goes through here from top to bottom: is it sound? -> does the policy grant it? -> credentials, if its target is
 * to get any -> a connection to an address that may be had -> the answer.
 *
 * Each request has a connection of its own: nothing that one leaves behind can be read by another, and none is made to an
 * address that was allowed some time ago. That costs a TLS handshake, some 2 ms of one core.
 */
export function createEgress(options: EgressOptions): Egress {
  const { hosting, broker, clock, logger } = options;
  const takeShare = createShares(SHARE_LIMITS);
  // Made once: it holds all the public certificate authorities. TLS 1.2 at least (RFC 9325 section 3.1.1), also where the process was
  // started otherwise (--tls-min-v1.0).
  let secureContext: SecureContext | undefined;

  return {
    async send(caller, request, signal) {
      let checked: CheckedRequest | undefined;
      let share: Share | undefined;
      try {
        share = takeShare(caller.component);
        checked = checkRequest(request);
        return await dispatch(caller, request, checked, share, signal);
      } catch (error) {
        share?.release();
        if (signal.aborted && error === signal.reason) throw error;
        const told = toEgressError(error);
        logger.warn(describe(caller, checked, told), 'outgoing request failed');
        throw told;
      }
    },
  };

  /** @throws EgressError `HTTP-request-denied`, or what is thrown where there is no policy */
  async function rightsFor(
    caller: Caller,
    { target, headers }: CheckedRequest,
    signal: AbortSignal,
  ): Promise<{ permit: EgressPermit; injection: ComponentInjection | undefined }> {
    const { egress, injections } = await abortable(hosting.rights(caller), signal);
    // Who names a path in a header may need all of them.
    const rules = headers.some(([name]) => isPathHeader(name)) ? egress.filter(({ path }) => path === '/') : egress;
    const permit = permitsEgress(rules, target);
    if (permit === undefined) throw new EgressError('HTTP-request-denied', 'no egress rule of the policy allows it');
    return { permit, injection: injectionFor(injections, target) };
  }

  async function dispatch(
    caller: Caller,
    request: OutgoingRequest,
    checked: CheckedRequest,
    share: Share,
    signal: AbortSignal,
  ): Promise<IncomingResponse> {
    const { target } = checked;
    const { permit, injection } = await rightsFor(caller, checked, signal);
    if (injection !== undefined) checkInjectable(checked);
    const credentials = injection && (await abortable(broker.injected(caller, injection.grant), signal));
    const wire =
      injection === undefined || credentials === undefined
        ? toWireRequest(checked)
        : await abortable(
            inject(checked, injection, credentials, () => clock.now(), share.hold),
            signal,
          );
    // Credentials come from upstream, and a body that is signed from the component: meanwhile the policy may have changed, and
    // what was fetched by a grant's name may be for another place.
    if (injection !== undefined && !isSame(injection, (await rightsFor(caller, checked, signal)).injection)) {
      throw new EgressError('HTTP-request-denied', 'its policy has just changed');
    }

    const socket = await openConnection(
      {
        target,
        isPermitted: createAddressCheck(permit.addresses),
        lookup: options.lookup ?? lookupAsSystem,
        secureContext: () => {
          secureContext ??= createSecureContext({ ca: options.ca, minVersion: 'TLSv1.2' });
          return secureContext;
        },
        clock,
        timeoutMs: request.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      },
      signal,
    );
    socket.once('close', share.release);
    try {
      const limits = {
        clock,
        firstByteTimeoutMs: request.firstByteTimeoutMs ?? FIRST_BYTE_TIMEOUT_MS,
        betweenBytesTimeoutMs: request.betweenBytesTimeoutMs ?? BETWEEN_BYTES_TIMEOUT_MS,
      };
      const response = await exchange(socket, wire, limits, signal);
      return credentials === undefined ? response : withoutEcho(response, sentSecrets(credentials));
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }
}

function isSame(a: ComponentInjection, b: ComponentInjection | undefined): boolean {
  return b !== undefined && a.grant === b.grant && a.region === b.region && a.injection.service === b.injection.service;
}

/** For the operator: never path, query or headers, which may have secrets of the component's in them. */
function describe(caller: Caller, checked: CheckedRequest | undefined, error: EgressError): object {
  const { scheme, host, port } = checked?.target ?? {};
  const { errorCode, message: reason } = error;
  return { event: 'egress.failed', component: caller.component, scheme, host, port, code: errorCode.tag, reason };
}

async function lookupAsSystem(host: string): Promise<string[]> {
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => address);
}
