import type { AddressRange } from '../base/address-range.ts';
import type { EgressRule } from './egress-rule.ts';

/** Where a request would go. */
export interface EgressTarget {
  /** `http` or `https`. */
  readonly scheme: string;
  /** With or without the brackets of an IPv6 address; without userinfo and port. */
  readonly host: string;
  readonly port: number;
  /** As it will be sent, without the query. */
  readonly path: string;
}

/** A request that may be sent. */
export interface EgressPermit {
  /** Networks that the host may be in although they are private, loopback or link-local. */
  readonly addresses: readonly AddressRange[];
}

/**
 * May a request be sent there?
 * @returns what the rules that say so allow besides; `undefined` where none does
 */
export function permitsEgress(rules: readonly EgressRule[], target: EgressTarget): EgressPermit | undefined {
  const matching = rules.filter(
    ({ scheme, host, port, path }) =>
      scheme === target.scheme &&
      host === target.host &&
      port === target.port &&
      (path === '/' || path === target.path),
  );
  return matching.length === 0 ? undefined : { addresses: matching.flatMap(({ addresses }) => addresses) };
}
