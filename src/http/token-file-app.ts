import type { RequestListener } from 'node:http';
import { z } from 'zod';
import { SvidxError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { TokenFiles } from '../broker/token-files.ts';
import { TOKEN_FILE_PATH, type TokenFileFields } from './broker-wire.ts';
import { sendFailure, sendJson } from './errors.ts';
import { callerFields, nameText, readJsonRequest } from './json-request.ts';

const tokenFileRequest = z.strictObject({ ...callerFields, grant: nameText });

/**
 * A part of the private socket: `POST /v1/token-file` `{component, grant}` gives the JWT-SVID of a grant for a file, where
 * the policy asks for one, with the variables that go with it.
 * @param next answers everything else
 */
export function createTokenFileApp(
  { tokenFiles, logger }: { readonly tokenFiles: TokenFiles; readonly logger: Logger },
  next: RequestListener,
): RequestListener {
  return async (request, response) => {
    if (request.url?.split('?', 1)[0] !== TOKEN_FILE_PATH) {
      next(request, response);
      return;
    }
    try {
      if (request.method !== 'POST') {
        response.setHeader('Allow', 'POST');
        throw new SvidxError('method_not_allowed', 'this path answers POST');
      }
      const { component, digest, grant } = await readJsonRequest(tokenFileRequest, request);
      const { svid, variables } = await tokenFiles.get({ component, digest }, grant);
      const fields: TokenFileFields = {
        file: variables.file,
        others: variables.others,
        expiresAt: new Date(svid.expiresAt).toISOString(),
        token: svid.token.reveal(),
      };
      sendJson(response, 200, fields);
    } catch (thrown) {
      sendFailure(response, thrown, logger);
    }
  };
}
