import { createHttpHeaders, type HttpClient, type PipelineRequest } from '@azure/core-rest-pipeline';
import { ClientAssertionCredential } from '@azure/identity';
import type { Clock } from '../base/clock.ts';
import type { Secret } from '../base/secret.ts';
import type { AccessToken } from '../credentials/credentials.ts';
import type { AzureGrant } from '../credentials/grants/azure.ts';
import { readAccessToken } from './access-token-answer.ts';
import { azureError, readAzureRefusal } from './azure-errors.ts';
import type { Exchanger } from './exchanger.ts';
import { createUpstream, describeError, type Protocol } from './upstream.ts';

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

/** Never connected to. Where the SDK is given no proxy it looks for one in the host's environment, and may fail over it. */
const NO_PROXY = { host: 'http://127.0.0.1', port: 9 };

/**
 * The client credentials flow with a JWT-SVID as the client's assertion (Microsoft identity platform, workload identity
 * federation): an access token of an application or a managed identity.
 *
 * The SDK makes the request, and sending it is ours. So a JWT-SVID goes to the token endpoint of the grant's tenant at the
 * grant's authority host and nowhere else, whatever discovery documents or the host's AZURE_* variables say (one of them names
 * a region, which becomes a part of the host name). And the SDK, which the environment may tell to log, sees good answers only.
 */
export function createAzureExchanger(options: AzureExchangerOptions): Exchanger<AzureGrant, AccessToken> {
  const upstream = createUpstream(options);

  return {
    async exchange({ token }, grant, { signal }) {
      const url = `${grant.authorityHost}/${grant.tenantId}/oauth2/v2.0/token`;
      const sent: Promise<AzureAnswer>[] = [];

      async function send({ headers, body }: PipelineRequest): Promise<string> {
        // No other encoding is read.
        headers.set('Accept-Encoding', 'identity');
        const answer = upstream.post({ url, headers: headers.toJSON(), body: String(body) }, protocol([token]), signal);
        sent.push(answer);
        return (await answer).text;
      }

      const httpClient: HttpClient = {
        async sendRequest(request) {
          const bodyAsText = request.method === 'POST' ? await send(request) : discovery(grant, url);
          return { request, status: 200, headers: createHttpHeaders(), bodyAsText };
        },
      };

      // One for each exchange: it keeps what it gets, and the only cache is ours.
      const credential = new ClientAssertionCredential(grant.tenantId, grant.clientId, async () => token.reveal(), {
        // It takes https only. A grant may have http on loopback, where the request goes as the grant says.
        authorityHost: grant.authorityHost.replace(/^http:/, 'https:'),
        disableInstanceDiscovery: true,
        retryOptions: { maxRetries: 0 },
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

/** The SDK wants this document where it does not know the authority host. What we would be told is known already. */
function discovery({ authorityHost, tenantId }: AzureGrant, tokenEndpoint: string): string {
  return JSON.stringify({
    issuer: `${authorityHost}/${tenantId}/v2.0`,
    authorization_endpoint: `${authorityHost}/${tenantId}/oauth2/v2.0/authorize`,
    token_endpoint: tokenEndpoint,
  });
}
