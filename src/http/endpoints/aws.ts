import { SvidxError } from '../../base/errors.ts';
import { scrub } from '../../base/secret.ts';
import { HTTP_STATUS, sendJson } from '../errors.ts';
import { GRANT_NAME, type SdkEndpoint } from './sdk-endpoint.ts';

/**
 * AWS container credentials: `GET /aws/<grant>`, the session's secret in `Authorization` as it is (AWS SDKs and Tools
 * Reference Guide, container credential provider: `AWS_CONTAINER_CREDENTIALS_FULL_URI`, `AWS_CONTAINER_AUTHORIZATION_TOKEN`).
 */
export const awsEndpoint: SdkEndpoint = {
  prefix: '/aws/',
  secretHeader: 'authorization',
  secretOf: (header) => header,

  async answer(broker, session, path, query) {
    if (query !== undefined || !GRANT_NAME.test(path)) {
      throw new SvidxError('not_found', 'expected /aws/ and the name of a grant');
    }
    const credentials = await broker.aws(session, path);
    return {
      AccessKeyId: credentials.accessKeyId,
      SecretAccessKey: credentials.secretAccessKey.reveal(),
      Token: credentials.sessionToken.reveal(),
      Expiration: new Date(credentials.expiresAt).toISOString(),
    };
  },

  sendError(response, { code, message }) {
    sendJson(response, HTTP_STATUS[code], { Code: code, Message: scrub(message) });
  },
};
