import { isIP } from 'node:net';
import { isLoopbackHost } from '../../base/http-url.ts';
import type { Secret } from '../../base/secret.ts';
import type { ComponentInjection } from '../../broker/hosting.ts';
import type { AccessToken, Credentials, VaultToken } from '../../credentials/credentials.ts';
import { injectSignature } from './aws-injection.ts';
import type { CheckedRequest, HeaderLines } from './checked-request.ts';
import { EgressError } from './error-code.ts';
import { plainName } from './header-rules.ts';
import type { RequestTarget } from './request-target.ts';
import { toWireRequest, type WireRequest, without } from './wire-request.ts';

/** The injection for exactly this scheme, host and port, whatever the path. */
export function injectionFor(
  injections: readonly ComponentInjection[],
  { scheme, host, port }: RequestTarget,
): ComponentInjection | undefined {
  return injections.find(
    ({ injection }) => injection.scheme === scheme && injection.host === host && injection.port === port,
  );
}

/**
 * May credentials be added to this request at all? Asked before there are any.
 * @throws EgressError `HTTP-request-denied` or `configuration-error`
 */
export function checkInjectable({ method, target }: CheckedRequest): void {
  // RFC 9110 section 9.3.8: the answer to TRACE is the request, which must have nothing in it that is secret.
  if (method === 'TRACE') throw new EgressError('HTTP-request-denied', 'TRACE would bring the credentials back');
  if (target.scheme === 'http' && (isIP(target.host) === 0 || !isLoopbackHost(target.host))) {
    throw new EgressError('configuration-error', 'credentials are sent over https, or to a loopback address');
  }
}

/**
 * Adds credentials to a request, the way that its target wants them, in place of whatever the component has put there.
 * @param now the time of the signature, asked for once it is made; milliseconds since 1970
 * @param hold takes room for so many bytes of a body that must be held
 * @throws EgressError; what the body throws, where that must be read first
 */
export async function inject(
  request: CheckedRequest,
  injection: ComponentInjection,
  credentials: Credentials,
  now: () => number,
  hold: (bytes: number) => void,
): Promise<WireRequest> {
  switch (credentials.kind) {
    case 'aws':
      return injectSignature(request, injection, credentials, now, hold);
    case 'vault':
      return withVaultToken(request, credentials);
    default:
      // A token that is bound to a key (DPoP, RFC 9449) is of no use without a proof. Policies refuse it; nothing else may bring it here.
      if ('proofKey' in credentials) {
        throw new EgressError('configuration-error', 'a token bound to a key is not injected');
      }
      return withAccessToken(request, credentials);
  }
}

/** What of the credentials is sent, or would do harm if it came back: not the access key ID, which is no secret. */
export function sentSecrets(credentials: Credentials): readonly Secret[] {
  return credentials.kind === 'aws' ? [credentials.sessionToken, credentials.secretAccessKey] : [credentials.token];
}

/** RFC 6750 sections 2.1 and 2.3. */
function withAccessToken(request: CheckedRequest, { token, tokenType }: AccessToken): WireRequest {
  const { headers, target } = without(request, ['authorization', 'dpop'], ['access_token']);
  const authorization = ['Authorization', `${tokenType} ${token.reveal()}`] as const;
  return toWireRequest({ ...request, target, headers: [...headers, authorization] });
}

/**
 * Vault takes its token in either of two headers. A component may choose a namespace below that of the token.
 *
 * It may not have the answer wrapped (Vault documentation, response wrapping): `auth/token/lookup-self` would come as a token
 * that gives the injected one to whoever unwraps it, without the host seeing it.
 */
function withVaultToken(request: CheckedRequest, { token, namespace }: VaultToken): WireRequest {
  if (request.headers.some(([name]) => plainName(name).startsWith('x-vault-wrap-'))) {
    throw new EgressError('HTTP-request-denied', 'a wrapped answer could bring the credentials back');
  }
  const { headers, target } = without(request, ['authorization', 'x-vault-token'], []);
  const chosen = headers.some(([name]) => name.toLowerCase() === 'x-vault-namespace');
  const added: HeaderLines = [
    ['X-Vault-Token', token.reveal()],
    ...(namespace === undefined || chosen ? [] : [['X-Vault-Namespace', namespace] as const]),
  ];
  return toWireRequest({ ...request, target, headers: [...headers, ...added] });
}
