import { onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { createSessions } from '../../src/dev/aws/sessions.ts';
import { serveLocalSts } from '../../src/dev/sts/local-sts.ts';
import type { Role } from '../../src/dev/sts/roles.ts';
import { rolesForPolicies } from '../../src/dev/sts/roles.ts';
import type { OidcProvider } from '../../src/dev/sts/web-identity.ts';
import { listenOnTcp } from '../../src/http/listener.ts';
import { compilePolicies } from '../../src/policy/policy-set.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { createMemoryLog, type MemoryLog } from '../fakes/log.ts';
import { ask } from './http.ts';

export const AUDIENCE = 'sts.amazonaws.com';
export const ROLE_ARN = 'arn:aws:iam::111122223333:role/team/models';
export const SUBJECT = 'spiffe://example.org/team/api';

/** A policy that grants the role to the subject. */
export const POLICY = `
component: api
spiffeId: ${SUBJECT}
selectors: [wasmcloud:component:api]
grants: { models: { aws: { roleArn: '${ROLE_ARN}', region: us-east-1, duration: 2h } } }
`;

/** What STS answered, its XML read as far as tests need it. */
export interface StsAnswer {
  readonly status: number;
  readonly xml: string;
  /** The text of the first element of this name; `undefined` where there is none. */
  element(name: string): string | undefined;
}

export interface LocalSts {
  readonly url: string;
  readonly log: MemoryLog;
  /** Sends these parameters as a form; one that is `undefined` is left out. */
  post(params: Readonly<Record<string, string | undefined>>): Promise<StsAnswer>;
  /** AssumeRoleWithWebIdentity with good parameters, except for these. */
  assume(params: Readonly<Record<string, string | undefined>>): Promise<StsAnswer>;
}

export interface LocalStsOptions {
  readonly issuer: string;
  readonly clock?: Clock;
  readonly clientIds?: readonly string[];
  readonly providers?: readonly OidcProvider[];
  /** Instead of those that `POLICY` needs. */
  readonly roles?: ReadonlyMap<string, Role>;
}

export function rolesFor(issuer: string, ...policies: readonly string[]): Promise<Map<string, Role>> {
  const files = policies.map((text, index) => ({ file: `${index}.yaml`, text }));
  return rolesForPolicies(compilePolicies(files, TrustDomain.parse('example.org')), issuer);
}

/** The local STS on a real listener, with the roles that `POLICY` needs. */
export async function startLocalSts(options: LocalStsOptions): Promise<LocalSts> {
  const clock = options.clock ?? systemClock;
  const log = createMemoryLog();
  const listener = await listenOnTcp({ host: '127.0.0.1', port: 0 }, clock);
  onTestFinished(listener.close);
  const account = {
    providers: options.providers ?? [{ issuer: options.issuer, clientIds: options.clientIds ?? [AUDIENCE] }],
    roles: options.roles ?? (await rolesFor(options.issuer, POLICY)),
  };
  serveLocalSts(listener, { clock, logger: log.logger, sessions: createSessions(clock), account: async () => account });

  const post: LocalSts['post'] = async (params) => {
    const form = new URLSearchParams();
    for (const [name, value] of Object.entries(params)) if (value !== undefined) form.append(name, value);
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const { status, text } = await ask(listener.url, { method: 'POST', path: '/', headers, body: form.toString() });
    return { status, xml: text, element: (name) => elementText(text, name) };
  };
  return {
    url: listener.url,
    log,
    post,
    assume: (params) =>
      post({
        Action: 'AssumeRoleWithWebIdentity',
        Version: '2011-06-15',
        RoleArn: ROLE_ARN,
        RoleSessionName: 'session',
        ...params,
      }),
  };
}

function elementText(xml: string, name: string): string | undefined {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];
}
