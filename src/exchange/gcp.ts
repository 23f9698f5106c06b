import { IdentityPoolClient, type IdentityPoolClientOptions } from 'google-auth-library';
import { StsCredentials } from 'google-auth-library/build/src/auth/stscredentials.js';
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import type { Secret } from '../base/secret.ts';
import type { AccessToken } from '../credentials/credentials.ts';
import type { GcpGrant } from '../credentials/grants/gcp.ts';
import { bearerToken, readAccessToken, toAccessToken } from './access-token-answer.ts';
import type { Exchanger } from './exchanger.ts';
import { type GcpStep, gcpError, readGcpRefusal } from './gcp-errors.ts';
import { describeError } from './http-client.ts';
import { createUpstream, jsonBody, type Protocol, type UpstreamAnswer } from './upstream.ts';

export interface GcpExchangerOptions {
  readonly clock: Clock;
  /** Numbers from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
  /** Where the Security Token Service and the IAM Service Account Credentials API are, instead of at Google. */
  readonly stsEndpoint?: string | undefined;
  readonly iamEndpoint?: string | undefined;
}

/** A good answer, and what it said. */
interface GcpAnswer {
  readonly token: AccessToken;
  readonly text: string;
}

const STS_ENDPOINT = 'https://sts.googleapis.com';
const IAM_ENDPOINT = 'https://iamcredentials.googleapis.com';

/** What `generateAccessToken` answers (IAM Service Account Credentials API). */
const impersonationAnswer = z.object({ accessToken: bearerToken, expireTime: z.iso.datetime({ offset: true }) });

/** The library gives the token exchange a connection of its own, with retries, redirects and proxies; this gives it ours. */
class Client extends IdentityPoolClient {
  constructor(options: IdentityPoolClientOptions & { readonly token_url: string }) {
    super(options);
    const { transporter } = this;
    this.stsCredential = new StsCredentials({ tokenExchangeEndpoint: options.token_url, transporter });
  }
}

/**
 * Workload identity federation (Google Cloud IAM): a JWT-SVID for the token of a federated identity (RFC 8693), and where the
 * grant names a service account, that one for a token of the account.
 *
 * The library makes the requests, and sending them is ours: retries are bounded in one place, redirects not followed, and
 * neither GOOGLE_* variables nor a metadata server are asked anything.
 */
export function createGcpExchanger(options: GcpExchangerOptions): Exchanger<GcpGrant, AccessToken> {
  const { clock, stsEndpoint = STS_ENDPOINT, iamEndpoint = IAM_ENDPOINT } = options;
  const upstream = createUpstream(options);
  const tokenUrl = `${stsEndpoint}/v1/token`;

  return {
    async exchange({ token }, grant, { signal }) {
      const secrets = [token];
      const sent: Promise<GcpAnswer>[] = [];

      /** In place of `fetch`: gives the library good answers only. */
      async function send(input: unknown, init: RequestInit = {}): Promise<Response> {
        const step: GcpStep = String(input) === tokenUrl ? 'token exchange' : 'impersonation';
        const headers = new Headers(init.headers);
        if (init.body instanceof URLSearchParams) headers.set('Content-Type', 'application/x-www-form-urlencoded');
        const request = { url: String(input), headers: Object.fromEntries(headers), body: String(init.body) };
        const answer = upstream.post(request, protocol(step, clock, secrets), signal);
        sent.push(answer);
        const { token: obtained, text } = await answer;
        secrets.push(obtained.token);
        return new Response(text, { headers: { 'Content-Type': 'application/json' } });
      }

      // One for each exchange: it keeps what it gets, and the only cache is ours.
      const client = new Client({
        audience: `//iam.googleapis.com/${grant.provider}`,
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        subject_token_supplier: { getSubjectToken: async () => token.reveal() },
        token_url: tokenUrl,
        scopes: [...grant.scopes],
        ...impersonation(grant, iamEndpoint),
        transporterOptions: {
          fetchImplementation: send,
          retryConfig: { shouldRetry: () => false },
          // Or else it looks for a proxy in the host's environment, and may fail over it.
          noProxy: [/^/],
        },
        // Or else GOOGLE_SDK_NODE_LOGGING has it write every answer to the log.
        useAuthRequestParameters: false,
      });
      const failure: unknown = await client.getAccessToken().then(
        () => undefined,
        (error: unknown) => error,
      );
      // The last one is what was asked for; one that failed is the reason why the library did.
      const answer = (await Promise.all(sent)).at(-1);
      if (failure !== undefined || answer === undefined) {
        throw gcpError(
          'exchange_request_rejected',
          'token exchange',
          `the library: ${describeError(failure)}`,
          secrets,
        );
      }
      return answer.token;
    },
  };
}

function impersonation({ serviceAccount, lifetimeSeconds }: GcpGrant, iamEndpoint: string) {
  if (serviceAccount === undefined) return {};
  return {
    service_account_impersonation_url: `${iamEndpoint}/v1/projects/-/serviceAccounts/${serviceAccount}:generateAccessToken`,
    service_account_impersonation: { token_lifetime_seconds: lifetimeSeconds },
  };
}

function protocol(step: GcpStep, clock: Clock, secrets: readonly Secret[]): Protocol<GcpAnswer> {
  const readToken = step === 'impersonation' ? readImpersonation : readAccessToken;
  return {
    read(answer) {
      const token = readToken(answer, 'gcp');
      if (token === undefined) return readGcpRefusal(answer, step, secrets);
      if (token.expiresAt > clock.now()) return { value: { token, text: answer.body.toString() } };
      const detail = `it expired at ${new Date(token.expiresAt).toISOString()}; check the clocks`;
      return { error: gcpError('exchange_response_invalid', step, detail, secrets), mayPass: false };
    },
    toError: (code, detail) => gcpError(code, step, detail, secrets),
  };
}

function readImpersonation(answer: UpstreamAnswer): AccessToken | undefined {
  const { data } = answer.status === 200 ? impersonationAnswer.safeParse(jsonBody(answer)) : {};
  return data && toAccessToken('gcp', data.accessToken, Date.parse(data.expireTime));
}
