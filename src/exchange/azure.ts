import { createHttpHeaders, type HttpClient } from '@azure/core-rest-pipeline';
import { AzureAuthorityHosts, ClientAssertionCredential } from '@azure/identity';
import type { Clock } from '../base/clock.ts';
import type { Secret } from '../base/secret.ts';
import type { AccessToken } from '../credentials/credentials.ts';
import type { AzureGrant } from '../credentials/grants/azure.ts';
import { readAccessToken } from './access-token-answer.ts';
import { azureError, readAzureRefusal } from './azure-errors.ts';
import type { Exchanger } from './exchanger.ts';
import { describeError } from './http-client.ts';
import { createUpstream, type Protocol } from './upstream.ts';

export interface AzureExchangerOptions {
  readonly clock: Clock;
  /** Numbers from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
}

/** A good answer, and what it said. */
interface AzureAnswer {
  readonly token: AccessToken;
  readonly text: string;
}

/** One that the SDK knows, so that it makes no other request than the one for a token: that does not depend on the host. */
const KNOWN_AUTHORITY_HOST = AzureAuthorityHosts.AzurePublicCloud;

/** Never connected to. Where the SDK is given no proxy it looks for one in the host's environment, and may fail over it. */
const NO_PROXY = { host: 'http://127.0.0.1', port: 9 };

/**
 * The client credentials flow with a JWT-SVID as the client's assertion (Microsoft identity platform, workload identity
 * federation): an access token of an application or a managed identity.
 *
 * The SDK makes the request, and sending it is ours. So a JWT-SVID goes to the token endpoint of the grant's tenant at the
 * grant's authority host and nowhere else, whatever discovery documents or the host's AZURE_* variables say (one of them names
 * a region, which becomes a part of the host name). And the SDK, which may have retries in mind or be told to log by the
 * environment, sees good answers only, and of others that there was none.
 */
export function createAzureExchanger(options: AzureExchangerOptions): Exchanger<AzureGrant, AccessToken> {
  const upstream = createUpstream(options);

  return {
    async exchange({ token }, grant, { signal }) {
      const url = `${grant.authorityHost}/${grant.tenantId}/oauth2/v2.0/token`;
      const sent: Promise<AzureAnswer>[] = [];

      const httpClient: HttpClient = {
        async sendRequest(request) {
          // No other encoding is read.
          request.headers.set('Accept-Encoding', 'identity');
          const form = { url, headers: request.headers.toJSON(), body: String(request.body) };
          const answer = upstream.post(form, protocol([token]), signal);
          sent.push(answer);
          return { request, status: 200, headers: createHttpHeaders(), bodyAsText: (await answer).text };
        },
      };

      // One for each exchange: it keeps what it gets, and the only cache is ours.
      const credential = new ClientAssertionCredential(grant.tenantId, grant.clientId, async () => token.reveal(), {
        authorityHost: KNOWN_AUTHORITY_HOST,
        proxyOptions: NO_PROXY,
        httpClient,
      });
      const failure: unknown = await credential.getToken(grant.scope).then(
        () => undefined,
        (error: unknown) => error,
      );
      // Where the request failed, this throws why.
      const [answer] = await Promise.all(sent);
      if (failure !== undefined || answer === undefined) {
        throw azureError('exchange_request_rejected', `the SDK: ${describeError(failure)}`, [token]);
      }
      return answer.token;
    },
  };
}

function protocol(secrets: readonly Secret[]): Protocol<AzureAnswer> {
  return {
    read(answer) {
      const token = readAccessToken(answer, 'azure');
      return token ? { value: { token, text: answer.body.toString() } } : readAzureRefusal(answer, secrets);
    },
    toError: (code, detail) => azureError(code, detail, secrets),
  };
}
