import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import type { Clock } from '../../src/base/clock.ts';
import { parseJson } from '../../src/base/json.ts';
import { type Arrivals, createArrivals } from '../support/arrivals.ts';
import type { TestCertificate } from '../support/certificates.ts';
import { jwtLogin, spiffeLogin, type VaultMount, VaultRefusal, type VaultRole } from './vault-login.ts';

export interface VaultRequest {
  readonly method: string;
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** An answer that Vault does not give by itself. */
export interface VaultAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Token {
  readonly namespace: string;
  readonly mount: VaultMount;
  readonly role: string;
  /** Milliseconds since 1970. */
  readonly issuedAt: number;
  readonly type: 'service' | 'batch';
  readonly mayRenew: boolean;
  expiresAt: number;
}

/** Vault for one test: logs in with JWTs that it verifies with the issuer's published keys, and renews what it gave. */
export interface FakeVault {
  readonly url: string;
  /** By path below `auth/`, and for a namespace by `namespace:path`. */
  readonly mounts: Record<string, VaultMount>;
  readonly requests: Arrivals<VaultRequest>;
  /** Every token it gave. */
  readonly tokens: ReadonlyMap<string, { readonly expiresAt: number }>;
  sealed: boolean;
  /** Laid over the `auth` of each answer. */
  authChanges: Readonly<Record<string, unknown>>;
  /** Answers in its place, where it is set. */
  instead: ((request: VaultRequest) => VaultAnswer) | undefined;
  /** What was asked for, in order. */
  calls(): ('login' | 'renew')[];
  revoke(token: string): void;
}

const loginBody = z.object({
  role: z.string().default(''),
  jwt: z.string().default(''),
  type: z.string().default('auto'),
});

export async function startVault(
  clock: Pick<Clock, 'now'>,
  mounts: Record<string, VaultMount>,
  certificate?: TestCertificate,
): Promise<FakeVault> {
  const tokens = new Map<string, Token>();
  const vault: FakeVault = {
    url: '',
    mounts,
    requests: createArrivals(),
    tokens,
    sealed: false,
    authChanges: {},
    instead: undefined,
    calls: () => vault.requests.all.map(({ path }) => (path.endsWith('/login') ? 'login' : 'renew')),
    revoke: (token) => void tokens.delete(token),
  };

  async function answer({ path, headers, body }: VaultRequest): Promise<object> {
    if (vault.sealed) throw new VaultRefusal(503, 'Vault is sealed');
    const namespace = String(headers['x-vault-namespace'] ?? '');
    const isKnown = Object.keys(vault.mounts).some((key) => key.startsWith(`${namespace}:`));
    if (namespace !== '' && !isKnown) throw new VaultRefusal(404, 'namespace not found');
    if (path === '/v1/auth/token/renew-self') return renew(String(headers['x-vault-token'] ?? ''), namespace);
    const mountPath = /^\/v1\/auth\/(.+)\/login$/.exec(path)?.[1];
    const mount = vault.mounts[namespace === '' ? String(mountPath) : `${namespace}:${mountPath}`];
    // Without a token, Vault does not tell who asks what there is and what not.
    if (mount === undefined) throw new VaultRefusal(403, 'permission denied');
    return login(mount, namespace, body, headers['authorization']);
  }

  async function login(mount: VaultMount, namespace: string, body: string, header: unknown): Promise<object> {
    const fields = loginBody.parse(parseJson(body));
    const role =
      mount.type === 'jwt'
        ? await jwtLogin(mount, fields, clock.now())
        : await spiffeLogin(mount, { ...fields, authorization: String(header ?? '') }, clock.now());
    const type = role.token_type ?? 'service';
    const id = type === 'batch' ? `hvb.${random(60)}` : `hvs.${random(24)}`;
    const token: Token = {
      namespace,
      mount,
      role: fields.role,
      issuedAt: clock.now(),
      type,
      mayRenew: role.token_no_default_policy !== true,
      expiresAt: 0,
    };
    tokens.set(id, token);
    return auth(id, token, role);
  }

  function renew(id: string, namespace: string): object {
    const token = tokens.get(id);
    if (token === undefined || clock.now() >= token.expiresAt || token.namespace !== namespace || !token.mayRenew) {
      throw new VaultRefusal(403, 'permission denied');
    }
    if (token.type === 'batch') throw new VaultRefusal(400, 'batch tokens cannot be renewed');
    const role = token.mount.roles[token.role];
    if (role === undefined) throw new VaultRefusal(500, `role ${token.role} does not exist during renewal`);
    return auth(id, token, role);
  }

  /** What is left of the maximum caps each lease, unless the token is periodic (concepts, tokens). */
  function auth(id: string, token: Token, role: VaultRole): object {
    const age = Math.floor((clock.now() - token.issuedAt) / 1000);
    const lease = role.token_period ?? Math.min(role.token_ttl, role.token_max_ttl - age);
    if (lease <= 0) throw new VaultRefusal(500, 'past the max TTL, cannot renew');
    token.expiresAt = clock.now() + lease * 1000;
    return {
      client_token: id,
      accessor: random(24),
      policies: ['default'],
      token_policies: ['default'],
      metadata: { role: token.role },
      lease_duration: lease,
      renewable: token.type === 'service',
      entity_id: '5f1c1d3c-0000-4000-8000-000000000000',
      token_type: token.type,
      orphan: true,
      mfa_requirement: null,
      num_uses: role.token_num_uses ?? 0,
      ...vault.authChanges,
    };
  }

  async function handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url: path = '' } = incoming;
    const request = { method, path, headers: incoming.headers, body: await text(incoming) };
    vault.requests.push(request);
    if (vault.instead !== undefined) {
      const { status, headers, body } = vault.instead(request);
      response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(body);
      return;
    }
    try {
      respond(response, 200, { ...EMPTY_ANSWER, auth: await answer(request) });
    } catch (error) {
      if (error instanceof VaultRefusal) respond(response, error.status, { errors: [error.message] });
      else respond(response, 500, { errors: [String(error)] });
    }
  }

  const listener = (incoming: IncomingMessage, response: ServerResponse): void => void handle(incoming, response);
  const server = certificate === undefined ? createServer(listener) : createTlsServer(certificate, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  return Object.assign(vault, { url: `${certificate === undefined ? 'http' : 'https'}://127.0.0.1:${address.port}` });
}

/** The lease on top of an answer is one of a secret, which a login does not bring. */
const EMPTY_ANSWER = {
  request_id: 'f8b2a3a0-0000-4000-8000-000000000000',
  lease_id: '',
  renewable: false,
  lease_duration: 0,
  data: null,
  wrap_info: null,
  warnings: null,
};

function respond(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  response.end(JSON.stringify(body));
}

function random(bytes: number): string {
  return randomBytes(bytes).toString('base64url');
}
