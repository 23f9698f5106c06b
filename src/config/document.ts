import { z } from 'zod';
import { type AddressRange, parseAddressRange } from '../base/address-range.ts';
import { durationSchema } from '../base/duration.ts';
import { toSvidxError } from '../base/errors.ts';
import { isLoopbackHost, isSecureUrl, parseHostName, parseHttpUrl } from '../base/http-url.ts';
import { LOG_LEVELS } from '../base/logger.ts';
import { audienceText } from '../credentials/grants/audience.ts';
import { TrustDomain } from '../spiffe/trust-domain.ts';
import { into, requestsInSession, tlsFiles, toListenAddress } from './fields.ts';
import { hostDocument } from './host-document.ts';
import { type Issuer, type KeysLocation, parseIssuer, parseJwksUri } from './issuer.ts';
import { remoteHostsDocument } from './remote-hosts.ts';
import { parseUnixAddress, type UnixAddress } from './unix-address.ts';
import { parseWorkloadAddress, type WorkloadAddress } from './workload-address.ts';

/** Where the private socket is, unless the configuration or the command line says otherwise. */
export const DEFAULT_BROKER_SOCKET = '/run/svidx/broker.sock';

/** What one client may ask of the issuer, unless the configuration says otherwise. */
export const DEFAULT_REQUESTS_PER_SECOND = 100;

const trustDomainText = z.string().transform(
  into<TrustDomain>((text) => {
    try {
      return TrustDomain.parse(text);
    } catch (error) {
      return { problem: toSvidxError(error).message };
    }
  }),
);

const hostText = z
  .string()
  .refine((text) => parseHostName(text) !== undefined, 'expected the name of a host, without scheme and port')
  .toLowerCase();

const proxyText = z
  .string()
  .transform(
    into<AddressRange>(
      (text) => parseAddressRange(text) ?? { problem: 'expected an address or a network, such as 10.0.0.0/8' },
    ),
  );

const stsEndpointText = z.string().refine(isSecureUrl, 'expected an https URL without credentials, query and fragment');

const bundleEndpointText = z.string().refine((text) => {
  return parseHttpUrl(text)?.protocol === 'https:' && !text.includes('#');
}, 'expected an https URL without credentials and fragment');

/** Says of each source of keys but the first that it is one too many. */
function exactlyOne(sources: object, context: z.core.$RefinementCtx): void {
  const [first, ...others] = Object.keys(sources);
  for (const name of others) {
    context.addIssue({
      code: 'custom',
      path: [name],
      message: `expected one source of keys, and there is ${first} too`,
    });
  }
}

const socketPath = z.string().regex(/^\/\P{Cc}*[^/\p{Cc}]$/u, 'expected the absolute path of a socket');

/** The configuration file of `svidx serve`. Every key, with what it means; the README's table is made from this. */
export const configDocument = z.strictObject({
  trustDomain: trustDomainText.describe(
    'The trust domain whose keys are published and whose identities are handed out.',
  ),
  issuer: z
    .string()
    .transform(into<Issuer>(parseIssuer))
    .describe("The issuer, exactly as in the tokens' `iss` (`jwt_issuer` of the SPIRE server)."),
  jwksUri: z
    .string()
    .transform(into<KeysLocation>(parseJwksUri))
    .optional()
    .describe('Where verifiers find the keys, if not at `<issuer>/keys`. Its path is served here too.'),
  policies: z.string().min(1).default('policies').describe('The folder of policy files, relative to this file.'),
  http: z
    .strictObject({
      listen: z
        .string()
        .default('127.0.0.1:8080')
        .transform(toListenAddress)
        .describe('Where the issuer listens. Port 0 means one that the system picks.'),
      plainHttpBehindProxy: z
        .boolean()
        .default(false)
        .describe('Allows an address beyond loopback without `tls`: a proxy must terminate TLS.'),
      tls: tlsFiles.optional(),
      hosts: z
        .array(hostText)
        .min(1)
        .max(100)
        .optional()
        .describe(
          'The hosts that the issuer answers to, instead of those of `issuer` and `jwksUri`. On a loopback address also loopback names.',
        ),
      requestsPerSecond: z
        .int()
        .min(1)
        .max(1_000_000)
        .optional()
        .describe(
          `How much one client may ask, and at once: an IPv4 address, or an IPv6 /64. Else ${DEFAULT_REQUESTS_PER_SECOND} where clients can be told apart (\`tls\` or \`trustedProxies\`), and no limit where they cannot.`,
        ),
      trustedProxies: z
        .array(proxyText)
        .min(1)
        .max(100)
        .optional()
        .describe('Networks of the proxies in front, whose `X-Forwarded-For` names the client.'),
    })
    .prefault({}),
  spire: z
    .strictObject({
      adminSocket: z
        .string()
        .transform(into<UnixAddress>(parseUnixAddress))
        .optional()
        .describe(
          "The SPIRE agent's admin socket, `unix:///path`. Else the environment's `SPIRE_ADMIN_ENDPOINT_SOCKET`.",
        ),
      timeout: durationSchema({ min: 1, max: 20 }, '10s').describe('How long the agent may take to answer: 1s to 20s.'),
    })
    .prefault({}),
  bundle: z
    .strictObject({
      delegatedIdentity: z
        .strictObject({})
        .optional()
        .describe(
          "`{}`: the published keys come from the agent's Delegated Identity API. So they do where nothing else is said.",
        ),
      workloadApi: z
        .strictObject({
          socket: z
            .string()
            .transform(into<WorkloadAddress>(parseWorkloadAddress))
            .optional()
            .describe(
              "They come from the SPIFFE Workload API at `unix:///path` or `tcp://IP:port`. Else the environment's `SPIFFE_ENDPOINT_SOCKET`.",
            ),
        })
        .optional(),
      httpsWeb: z
        .strictObject({
          url: bundleEndpointText.describe(
            "They come from this bundle endpoint, such as the SPIRE server's: `https_web`.",
          ),
          caFile: z
            .string()
            .min(1)
            .optional()
            .describe('Trusted certificates (PEM) instead of the public ones; relative to this file.'),
        })
        .optional(),
      file: z
        .strictObject({
          path: z
            .string()
            .min(1)
            .describe('They come from this JWK Set or SPIFFE bundle, which is watched; relative to this file.'),
        })
        .optional(),
    })
    .superRefine(exactlyOne)
    .prefault({}),
  broker: z
    .strictObject({
      enabled: z
        .boolean()
        .default(true)
        .describe('`false`: the issuer alone, without components, policies and private socket.'),
      socket: socketPath
        .default(DEFAULT_BROKER_SOCKET)
        .describe(
          'The private socket, an absolute path: whoever may open it may ask on behalf of every component. Mode 0600.',
        ),
      cacheSize: z
        .int()
        .min(1)
        .max(1_000_000)
        .default(10_000)
        .describe('How many JWT-SVIDs, and how many credentials, are held in memory.'),
    })
    .prefault({}),
  endpoints: z
    .strictObject({
      listen: z
        .string()
        .transform(toListenAddress)
        .refine(({ host }) => isLoopbackHost(host), 'expected a loopback address, such as 127.0.0.1:8081')
        .optional()
        .describe(
          'A listener on loopback that the SDKs of AWS, Azure and Google Cloud ask, each program in a session. Off as long as nothing is said.',
        ),
      requestsPerSecond: requestsInSession,
    })
    .prefault({}),
  remoteHosts: remoteHostsDocument.optional(),
  host: hostDocument.optional(),
  tokenEndpoint: z
    .strictObject({
      audience: audienceText
        .optional()
        .describe(
          '`tokenEndpoint: {}` opens `<issuer>/token` (RFC 8693). The one audience that the JWT-SVIDs sent there have: the issuer, unless another is named here.',
        ),
    })
    .optional(),
  health: z
    .strictObject({
      listen: z
        .string()
        .transform(toListenAddress)
        .optional()
        .describe('A listener of its own for health checks, which says the reasons in full.'),
      plainHttpBeyondLoopback: z
        .boolean()
        .default(false)
        .describe('Allows an address beyond loopback there: the reasons may name files of this machine.'),
    })
    .prefault({}),
  aws: z
    .strictObject({
      stsEndpoint: stsEndpointText.optional().describe("Instead of the region's own STS: a VPC endpoint or a proxy."),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z
        .enum(LOG_LEVELS)
        .default('info')
        .describe(`How much is logged: ${LOG_LEVELS.join(', ')}.`),
    })
    .prefault({}),
});

export type ConfigDocument = z.output<typeof configDocument>;

/** The JSON Schema (2020-12) of the configuration file: its keys, defaults and descriptions, for documentation. */
export function configJsonSchema(): object {
  return z.toJSONSchema(configDocument, { io: 'input' });
}
