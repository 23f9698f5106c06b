import { z } from 'zod';
import { ERROR_CODES, type ErrorCode } from '../../src/base/errors.ts';
import { REFUSAL_MS, TROUBLE_MS } from '../../src/broker/remembered-failures.ts';
import { EXIT_CODE } from '../../src/commands/exit-codes.ts';
import { CREDENTIALS_ERROR_CASE } from '../../src/component/imports/credentials.ts';
import { IDENTITY_ERROR_CASE } from '../../src/component/imports/identity.ts';
import { configJsonSchema } from '../../src/config/document.ts';
import { parseIssuer } from '../../src/config/issuer.ts';
import { tokenEndpointConfig } from '../../src/config/token-endpoint.ts';
import { GRANT_KINDS } from '../../src/credentials/grant.ts';
import { LAST_MOMENTS_MS, SDK_REFRESH_WINDOW_MS } from '../../src/credentials/lifetimes.ts';
import { EXCHANGES_PER_SECOND } from '../../src/exchange/guarded.ts';
import { BROKER_PATHS, SESSIONS_PATH, TOKEN_FILE_PATH, WORKLOAD_API_PATH } from '../../src/http/broker-wire.ts';
import { COMPONENT_PATH } from '../../src/http/component-wire.ts';
import { awsEndpoint } from '../../src/http/endpoints/aws.ts';
import { azureEndpoint } from '../../src/http/endpoints/azure.ts';
import { gcpEndpoint } from '../../src/http/endpoints/gcp.ts';
import { HTTP_STATUS } from '../../src/http/errors.ts';
import { HEALTH_PATHS } from '../../src/http/health-app.ts';
import { OAUTH_ERROR, oauthStatus } from '../../src/http/oauth-errors.ts';
import { MAX_AGE_SECONDS } from '../../src/http/published-document.ts';
import { policyJsonSchema } from '../../src/policy/document.ts';
import { WORKLOAD_API_STATUS } from '../../src/workload-api/status.ts';

/** The README's tables, made from the code they describe. `npm run generate` writes them; a test compares. */
export const README_TABLES: Readonly<Record<string, () => string>> = {
  config: () => keyTable(configJsonSchema()),
  policy: () => keyTable(policyJsonSchema()),
  endpoints: endpointTable,
  errors: errorTable,
  caches: cacheTable,
  budgets: budgetTable,
};

/** The text between `<!-- table:NAME -->` and `<!-- /table -->` replaced by that table, for every one of them. */
export function withTables(markdown: string): string {
  return markdown.replace(/<!-- table:([a-z]+) -->\n[\s\S]*?<!-- \/table -->/g, (_, name: string) => {
    const table = README_TABLES[name];
    if (table === undefined) throw new Error(`the README wants a table "${name}" that nobody makes`);
    return `<!-- table:${name} -->\n${table()}\n<!-- /table -->`;
  });
}

interface SchemaNode {
  readonly type?: string | undefined;
  readonly description?: string | undefined;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, SchemaNode>> | undefined;
  readonly required?: readonly string[] | undefined;
  readonly additionalProperties?: SchemaNode | boolean | undefined;
  readonly items?: SchemaNode | undefined;
}

const schemaNode: z.ZodType<SchemaNode> = z.object({
  type: z.string().optional(),
  description: z.string().optional(),
  default: z.unknown().optional(),
  get properties() {
    return z.record(z.string(), schemaNode).optional();
  },
  required: z.array(z.string()).optional(),
  get additionalProperties() {
    return z.union([z.boolean(), schemaNode]).optional();
  },
  get items() {
    return schemaNode.optional();
  },
});

/** One row for each key that holds a value, in the order of the document. */
function keyTable(schema: object): string {
  return table(['key', 'default', 'meaning'], [...keyRows(schemaNode.parse(schema), '')]);
}

function* keyRows(node: SchemaNode, prefix: string): Generator<string[]> {
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    const key = prefix === '' ? name : `${prefix}.${name}`;
    if (child.properties !== undefined && Object.keys(child.properties).length > 0) yield* keyRows(child, key);
    else if (child.items?.properties !== undefined) yield* keyRows(child.items, `${key}[]`);
    else if (typeof child.additionalProperties === 'object') {
      yield [`\`${key}\``, '-', child.description ?? ''];
      yield* keyRows(child.additionalProperties, `${key}.<name>`);
    } else {
      const required = node.required?.includes(name) ?? false;
      yield [
        `\`${key}\``,
        child.default === undefined ? (required ? 'required' : '-') : code(child.default),
        child.description ?? '',
      ];
    }
  }
}

function endpointTable(): string {
  const issuer = parseIssuer('https://issuer');
  if ('problem' in issuer) throw new Error(issuer.problem);
  const tokenEndpoint = tokenEndpointConfig(issuer);
  const caching = `for anybody; \`Cache-Control: public, max-age=${MAX_AGE_SECONDS}\`, \`ETag\`, CORS open`;
  const everywhere = 'issuer, private socket, `health.listen`';
  const hosts = 'private socket, `remoteHosts.listen`';
  const sdks = '`endpoints.listen`, `remoteHosts.listen`';
  const health = '200, or 503 where something is `down`';
  const brokerRows: Readonly<Record<keyof typeof BROKER_PATHS, readonly [string, string]>> = {
    token: ['`{component, audience: [...], digest?}`', '`{spiffeId, audience, expiresAt, token}`'],
    credentials: [
      '`{component, grant, digest?}`',
      '`{kind, accessKeyId, secretAccessKey, sessionToken, expiration, region}`',
    ],
    injected: ['`{component, grant, digest?}`', 'the same of a grant with `inject`, for the host of the component'],
  };
  return table(
    ['where', 'request', 'answer'],
    [
      ['issuer (TCP)', `\`GET <issuer path>${issuer.discoveryPath}\``, `the OpenID discovery document, ${caching}`],
      [
        'issuer (TCP)',
        `\`GET <issuer path>${issuer.keysPath}\``,
        "the trust domain's JWK Set, each key with `kid`, `use`, `alg`; likewise. At the path of `jwksUri` too",
      ],
      [
        'issuer (TCP)',
        `\`GET ${tokenEndpoint.metadataPath}<issuer path>\``,
        'with `tokenEndpoint`: the metadata that lead to it (RFC 8414); likewise',
      ],
      [
        'issuer (TCP)',
        `\`POST <issuer path>${tokenEndpoint.path}\` a form: \`grant_type\`, \`subject_token\`, \`subject_token_type\`, \`audience\``,
        'with `tokenEndpoint`: `{access_token, issued_token_type, token_type, expires_in}` (RFC 8693); `no-store`, no CORS',
      ],
      [everywhere, `\`GET ${HEALTH_PATHS.live}\``, '200 `{state: "up"}`: the process answers'],
      [everywhere, `\`GET ${HEALTH_PATHS.ready}\``, `${health}, \`{state, parts: {<part>: {state, ...}}}\``],
      [everywhere, `\`GET ${HEALTH_PATHS.ready}/<part>\``, `${health}, \`{state, code?, reason?, age?}\` of that part`],
      ...Object.entries(BROKER_PATHS).map(([name, path]) => {
        const [request, answer] = brokerRows[name as keyof typeof BROKER_PATHS];
        return [hosts, `\`POST ${path}\` ${request}`, answer];
      }),
      [
        hosts,
        `\`POST ${COMPONENT_PATH}\` \`{component, digest?}\``,
        '`{identity, credentials, wasi, config, egress, injections}`: what a component may do, for its host',
      ],
      [
        'private socket',
        `\`POST ${TOKEN_FILE_PATH}\` \`{component, grant, digest?}\``,
        '`{file, others, expiresAt, token}`: the JWT-SVID of a grant under `files`, with the variables that go with it',
      ],
      [
        'private socket',
        `\`POST ${WORKLOAD_API_PATH}\` \`{component, digest?}\``,
        '`{endpoint}` and a line end: a unix socket with the SPIFFE Workload API for that component, open as long as this connection',
      ],
      [
        hosts,
        `\`POST ${SESSIONS_PATH}\` \`{component, grant?, ttl?, digest?}\``,
        'opens a session: `{session, secret, expiresAt, endpoint, grants: [{name, kind, ...}]}`',
      ],
      [hosts, `\`POST ${SESSIONS_PATH}/<session>\``, 'renews it, as its use does: `{session, expiresAt}`'],
      [hosts, `\`DELETE ${SESSIONS_PATH}/<session>\``, 'ends it: `{session}`'],
      [
        sdks,
        `\`GET ${awsEndpoint.prefix}<grant>\`, the secret in \`Authorization\``,
        'AWS container credentials: `{AccessKeyId, SecretAccessKey, Token, Expiration}`; errors `{Code, Message}`',
      ],
      [
        sdks,
        `\`GET ${azureEndpoint.prefix}token?api-version=2019-08-01&resource=...[&client_id=...]\`, the secret in \`X-IDENTITY-HEADER\``,
        'App Service managed identity: `{access_token, expires_on, resource, token_type, client_id}`; errors `{statusCode, message}`',
      ],
      [
        sdks,
        `\`GET ${gcpEndpoint.prefix}<grant>/subject-token\`, the secret in \`Authorization: Bearer\``,
        "`{subject_token}`: the JWT-SVID for the grant's provider, where the policy has that audience too",
      ],
    ],
  );
}

function errorTable(): string {
  return table(
    [
      'code',
      'meaning',
      'HTTP',
      'token endpoint',
      'exit',
      'Workload API',
      '`wasmcloud:identity`',
      '`svidx:credentials`',
    ],
    Object.entries(ERROR_CODES).map(([name, meaning]) => {
      const errorCode = name as ErrorCode;
      return [
        `\`${name}\``,
        meaning,
        String(HTTP_STATUS[errorCode]),
        `${oauthStatus(errorCode)} \`${OAUTH_ERROR[errorCode]}\``,
        String(EXIT_CODE[errorCode]),
        WORKLOAD_API_STATUS[errorCode],
        `\`${IDENTITY_ERROR_CASE[errorCode]}\``,
        `\`${CREDENTIALS_ERROR_CASE[errorCode]}\``,
      ];
    }),
  );
}

const WHAT_A_TARGET_IS: Readonly<Record<(typeof GRANT_KINDS)[number], string>> = {
  aws: 'an account in a region',
  azure: 'a tenant at an authority host',
  gcp: 'the project of a provider',
  vault: 'a server, namespace and `caFile`',
  oauth: 'an issuer',
};

function budgetTable(): string {
  return table(
    ['grant', 'one target is', 'exchanges in a second'],
    GRANT_KINDS.map((kind) => [`\`${kind}\``, WHAT_A_TARGET_IS[kind], String(EXCHANGES_PER_SECOND[kind])]),
  );
}

function cacheTable(): string {
  const lastMoments = `its end less ${LAST_MOMENTS_MS / 1000} s (or a tenth of its life, if shorter)`;
  const failures = `refusals ${REFUSAL_MS / 1000} s, passing trouble ${TROUBLE_MS / 1000} s`;
  return table(
    ['cache', 'key', 'fresh until', 'served until', 'failures remembered'],
    [
      [
        'JWT-SVIDs',
        'SPIFFE ID + selectors (with `digestSelector` the one of the bytes too) + sorted audiences',
        'half of the life it had left on arrival',
        lastMoments,
        failures,
      ],
      [
        'credentials',
        'component + grant name + what the grant and the identity are made of',
        `its end less the larger of ${SDK_REFRESH_WINDOW_MS / 60_000} min and a tenth of its life, or half of its life if that is longer`,
        lastMoments,
        failures,
      ],
      ['bundles', 'trust domain', 'pushed by a stream, or polled', 'replaced by a good one', '-'],
    ],
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function code(value: unknown): string {
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}
