import { resolve } from 'node:path';
import { z } from 'zod';
import { isSecureOrigin } from '../base/http-url.ts';
import { componentName, list, spiffeIdText } from '../policy/document.ts';
import type { RemoteHost } from '../policy/evaluate.ts';
import { requestsInSession, tlsFiles, toListenAddress } from './fields.ts';
import type { ListenAddress } from './listen-address.ts';
import type { TlsFiles } from './tls-files.ts';

/** A listener for hosts on other machines. */
export interface RemoteHostsConfig {
  readonly listen: ListenAddress;
  /** The URL that hosts have; `undefined` for that of the address itself. */
  readonly url: string | undefined;
  readonly tls: TlsFiles;
  /** Who may ask, each SPIFFE ID once. */
  readonly allow: readonly RemoteHost[];
  /** What one session may ask. */
  readonly requestsPerSecond: number;
}

/** The addresses that mean all of a machine's: nobody can connect to them from elsewhere. */
const WILDCARDS: readonly string[] = ['0.0.0.0', '::'];

const originText = z
  .string()
  .refine((text) => text.startsWith('https:') && isSecureOrigin(text), 'expected https://host:port, without a path');

const allowedHost = z.strictObject({
  spiffeId: spiffeIdText
    .refine(({ path }) => path !== '', 'expected the SPIFFE ID of a host, not of a trust domain')
    .describe('Who may ask: a SPIFFE ID, of a federated trust domain too, compared exactly.'),
  components: list(componentName, 'expected at least one component').describe(
    'The components that it may name. There are no others for it.',
  ),
});

/** The key `remoteHosts` of the configuration. */
export const remoteHostsDocument = z
  .strictObject({
    listen: z
      .string()
      .transform(toListenAddress)
      .describe('A listener for hosts on other machines, which prove who they are with an X509-SVID (mutual TLS).'),
    url: originText
      .optional()
      .describe('Where they reach it, `https://host:port`. Else the address of `listen`. Requests must be for it.'),
    tls: tlsFiles,
    allow: list(allowedHost, 'expected at least one host'),
    requestsPerSecond: requestsInSession,
  })
  .superRefine(({ listen, url, allow }, context) => {
    if (url === undefined && WILDCARDS.includes(listen.host)) {
      const message = `expected the URL that hosts have: ${listen.host} is no address to connect to`;
      context.addIssue({ code: 'custom', path: ['url'], message });
    }
    for (const [index, { spiffeId }] of allow.entries()) {
      if (allow.findIndex((other) => other.spiffeId.equals(spiffeId)) === index) continue;
      context.addIssue({ code: 'custom', path: ['allow', index, 'spiffeId'], message: 'is there twice' });
    }
  });

/** @param folder that of the file, from which its paths go */
export function remoteHostsConfig(document: z.output<typeof remoteHostsDocument>, folder: string): RemoteHostsConfig {
  const { certFile, keyFile } = document.tls;
  return {
    ...document,
    url: document.url,
    tls: { certFile: resolve(folder, certFile), keyFile: resolve(folder, keyFile) },
  };
}
