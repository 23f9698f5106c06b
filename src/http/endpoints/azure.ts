import { type ErrorCode, SvidxError } from '../../base/errors.ts';
import { scrub } from '../../base/secret.ts';
import type { AzureRequest } from '../../broker/session-broker.ts';
import { HTTP_STATUS, sendJson } from '../errors.ts';
import type { SdkEndpoint } from './sdk-endpoint.ts';

/** The version of the protocol that the SDKs speak. The older one differs in names and in how it writes times. */
const API_VERSION = '2019-08-01';

/** Other ways of naming an identity. No grant is named by them. */
const OTHER_IDENTITIES = ['object_id', 'principal_id', 'mi_res_id', 'msi_res_id'];

/**
 * The managed identity endpoint of Azure App Service: `GET /azure/token?api-version=2019-08-01&resource=...[&client_id=...]`,
 * the session's secret in `X-IDENTITY-HEADER` (Microsoft Learn, How to use managed identities for App Service, REST
 * endpoint reference: `IDENTITY_ENDPOINT`, `IDENTITY_HEADER`).
 */
export const azureEndpoint: SdkEndpoint = {
  prefix: '/azure/',
  secretHeader: 'x-identity-header',
  secretOf: (header) => header,

  async answer(broker, session, path, query = '') {
    if (path !== 'token') throw new SvidxError('not_found', 'expected /azure/token');
    const wanted = parseQuery(query);
    const { credentials, grant } = await broker.azure(session, wanted);
    return {
      access_token: credentials.token.reveal(),
      // Seconds in a string, as App Service writes them; the SDKs take the token's life from here alone.
      expires_on: String(Math.floor(credentials.expiresAt / 1000)),
      resource: wanted.resource,
      token_type: credentials.tokenType,
      client_id: grant.clientId,
    };
  },

  sendError(response, { code, message }) {
    const statusCode = azureStatus(code);
    sendJson(response, statusCode, { statusCode, message: `${code}: ${scrub(message)}` });
  },
};

/**
 * What the SDKs repeat is 404, 408, 410, 429 and most of 5xx (`@azure/identity`, managed identity retry policies). So what
 * another try will not mend is 400, such as an identity that there is not, and the rest keeps its status.
 */
export function azureStatus(code: ErrorCode): number {
  const status = HTTP_STATUS[code];
  return [401, 429, 500, 503, 504].includes(status) ? status : 400;
}

function parseQuery(query: string): AzureRequest {
  const params = new URLSearchParams(query);
  const names = [...params.keys()];
  if (new Set(names).size !== names.length) throw new SvidxError('request_invalid', 'a parameter is there twice');
  if (params.get('api-version') !== API_VERSION) {
    throw new SvidxError('request_invalid', `api-version: expected ${API_VERSION}`);
  }
  const resource = params.get('resource');
  if (resource === null || resource === '') throw new SvidxError('request_invalid', 'resource: is missing');
  const other = OTHER_IDENTITIES.find((name) => params.has(name));
  if (other !== undefined) throw new SvidxError('request_invalid', `${other}: identities are named by client_id here`);
  return { resource, clientId: params.get('client_id') ?? undefined };
}
