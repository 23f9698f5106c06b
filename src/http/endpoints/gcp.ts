import { SvidxError } from '../../base/errors.ts';
import { SUBJECT_TOKEN_FIELD } from '../../credentials/external-account.ts';
import { sendError } from '../errors.ts';
import { GRANT_NAME, type SdkEndpoint } from './sdk-endpoint.ts';

const PATH = /^([^/]+)\/subject-token$/;

/**
 * The subject token of a Google Cloud credential configuration of type `external_account` with a URL source (AIP-4117):
 * `GET /gcp/<grant>/subject-token`, the session's secret in `Authorization: Bearer`. The SDK itself exchanges the token.
 */
export const gcpEndpoint: SdkEndpoint = {
  prefix: '/gcp/',
  secretHeader: 'authorization',
  secretOf: (header) => /^Bearer (\S+)$/i.exec(header)?.[1],

  async answer(broker, session, path, query) {
    const [, grant = ''] = PATH.exec(path) ?? [];
    if (query !== undefined || !GRANT_NAME.test(grant)) {
      throw new SvidxError('not_found', 'expected /gcp/, the name of a grant and /subject-token');
    }
    const svid = await broker.subjectToken(session, grant);
    return { [SUBJECT_TOKEN_FIELD]: svid.token.reveal() };
  },

  sendError,
};
