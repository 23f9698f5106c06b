import type { RequestListener } from 'node:http';
import { z } from 'zod';
import type { Logger } from '../base/logger.ts';
import type { TokenFiles } from '../broker/token-files.ts';
import { TOKEN_FILE_PATH, type TokenFileFields } from './broker-wire.ts';
import { sendJson } from './errors.ts';
import { callerFields, nameText, readJsonRequest } from './json-request.ts';
import { postRoute } from './post-route.ts';

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
  return postRoute(
    TOKEN_FILE_PATH,
    logger,
    async (request, response) => {
      const { component, digest, grant } = await readJsonRequest(tokenFileRequest, request);
      const { svid, variables } = await tokenFiles.get({ component, digest }, grant);
      const fields: TokenFileFields = {
        file: variables.file,
        others: variables.others,
        expiresAt: new Date(svid.expiresAt).toISOString(),
        token: svid.token.reveal(),
      };
      sendJson(response, 200, fields);
    },
    next,
  );
}
