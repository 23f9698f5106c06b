import { z } from 'zod';
import { isLoopbackHost } from '../base/http-url.ts';
import type { Grant } from '../credentials/grant.ts';
import { DEFAULT_PORT, type EgressRule, HOST_EXPECTED, ownAddress, parseHost } from './egress-rule.ts';

/** Where a grant's credentials are added to a component's requests, and nowhere else. */
export interface Injection {
  /** `http` for a loopback address alone. */
  readonly scheme: 'http' | 'https';
  /** As in an `EgressRule`. */
  readonly host: string;
  readonly port: number;
  /** The signing name of AWS Signature Version 4; `undefined` where the host tells it, or nothing is signed. */
  readonly service: string | undefined;
}

export const injectionDocument = z.strictObject({
  host: z
    .string()
    .max(255)
    .transform((text, context) => {
      const host = parseHost(text);
      if (host !== undefined) return host;
      context.addIssue({ code: 'custom', message: HOST_EXPECTED });
      return z.NEVER;
    })
    .describe(
      'The host adds the credentials to requests to this host, port and scheme, and the component never has them. ' +
        'It may send requests there without more in `egress`. A grant with `inject` is handed out in no other way.',
    ),
  port: z.int().min(1).max(65_535).optional().describe('443, or 80 with `http`, where it is left out.'),
  scheme: z
    .enum(['https', 'http'])
    .default('https')
    .describe('`http` only for a loopback address: 127.0.0.1 or [::1].'),
  service: z
    .string()
    .regex(/^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/, 'expected the signing name of an AWS service, such as bedrock')
    .optional()
    .describe(
      'Of an `aws` grant: the name that requests are signed for (SigV4), where the host name does not tell it.',
    ),
});

/**
 * Where the credentials of this grant are injected, or the key that is wrong and what was expected of it.
 */
export function parseInjection(
  { host, port, scheme, service }: z.output<typeof injectionDocument>,
  kind: Grant['kind'],
): Injection | { readonly key: 'scheme' | 'service'; readonly problem: string } {
  // A name is not enough: it may come to mean another address.
  if (scheme === 'http' && !(isLoopbackHost(host) && host !== 'localhost')) {
    return { key: 'scheme', problem: 'expected https: http is for a loopback address, 127.0.0.1 or [::1], alone' };
  }
  if (service !== undefined && kind !== 'aws') return { key: 'service', problem: 'expected only with an aws grant' };
  return Object.freeze({ scheme, host, port: port ?? DEFAULT_PORT[scheme], service });
}

/** What may be injected somewhere may be sent there. */
export function impliedRule({ scheme, host, port }: Injection): EgressRule {
  return Object.freeze({ scheme, host, port, path: '/', addresses: ownAddress(host) });
}
