import {
  AssumeRoleWithWebIdentityCommand,
  type AssumeRoleWithWebIdentityResponse,
  STSClient,
  type STSClientConfig,
} from '@aws-sdk/client-sts';
import { retry } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import type { AwsCredentials } from '../credentials/credentials.ts';
import type { AwsGrant } from '../credentials/grants/aws.ts';
import type { JwtSvid } from '../spiffe/jwt-svid.ts';
import { toExchangeError } from './aws-errors.ts';
import { boundedBody } from './bounded-body.ts';
import type { Exchanger } from './exchanger.ts';
import { roleSessionName } from './role-session-name.ts';

export interface AwsExchangerOptions {
  readonly clock: Clock;
  /** Numbers from 0 (included) to 1 (excluded), for jitter. */
  readonly random: () => number;
  /** Where STS is, instead of the grant's region's own endpoint: for a local STS, a VPC endpoint or a proxy. */
  readonly endpoint?: string | undefined;
}

/**
 * STS waits up to about 5 s itself for the issuer's keys, so one attempt gets a little more. Three of them, with their
 * waits, fit into the half minute that the broker gives a load. Milliseconds.
 */
const CONNECT_TIMEOUT_MS = 2_000;
const REQUEST_TIMEOUT_MS = 6_000;

/** An answer of STS has some thousand bytes: a session token of at most 4,096 characters, and XML around it. */
const MAX_RESPONSE_BYTES = 256 * 1024;

/**
 * The host's AWS_* variables and configuration files are about other programs on it. Nothing in them may send a JWT-SVID
 * elsewhere, sign the request with somebody's key, or make it fail.
 */
const NOTHING_FROM_THE_HOST = {
  ignoreConfiguredEndpointUrls: true,
  useFipsEndpoint: false,
  useDualstackEndpoint: false,
  authSchemePreference: [],
  defaultsMode: 'standard',
  retryMode: 'standard',
} as const satisfies STSClientConfig;

const RETRY = { attempts: 3, firstMs: 200, maxMs: 2_000 };

/** AssumeRoleWithWebIdentity: a JWT-SVID for the credentials of an IAM role. The request itself needs no credentials. */
export function createAwsExchanger(options: AwsExchangerOptions): Exchanger<AwsGrant, AwsCredentials> {
  const clients = new Map<string, STSClient>();

  function clientFor(region: string): STSClient {
    const known = clients.get(region);
    if (known !== undefined) return known;
    const client = new STSClient({
      ...NOTHING_FROM_THE_HOST,
      region,
      ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
      // Retries are ours, so that they are bounded in one place and go by the clock that was handed in.
      maxAttempts: 1,
      requestHandler: {
        connectionTimeout: CONNECT_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        throwOnRequestTimeout: true,
      },
      streamCollector: boundedBody(MAX_RESPONSE_BYTES),
    });
    clients.set(region, client);
    return client;
  }

  async function assumeRole(
    svid: JwtSvid,
    grant: AwsGrant,
    signal: AbortSignal,
  ): Promise<AssumeRoleWithWebIdentityResponse> {
    const command = new AssumeRoleWithWebIdentityCommand({
      RoleArn: grant.roleArn,
      RoleSessionName: roleSessionName(svid.spiffeId),
      WebIdentityToken: svid.token.reveal(),
      DurationSeconds: grant.durationSeconds,
    });
    try {
      return await clientFor(grant.region).send(command, { abortSignal: signal });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw toExchangeError(error, svid.token);
    }
  }

  return {
    async exchange(subjectToken, grant, { signal }) {
      const response = await retry(() => assumeRole(subjectToken, grant, signal), {
        ...RETRY,
        clock: options.clock,
        random: options.random,
        isRetryable: isTransient,
        signal,
      });
      return toCredentials(response, grant, options.clock.now());
    },
  };
}

function isTransient(error: unknown): boolean {
  return error instanceof SvidxError && (error.code === 'exchange_unavailable' || error.code === 'exchange_throttled');
}

function toCredentials(response: AssumeRoleWithWebIdentityResponse, grant: AwsGrant, now: number): AwsCredentials {
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = response.Credentials ?? {};
  const expiresAt = Expiration?.getTime() ?? Number.NaN;
  if (!AccessKeyId || !SecretAccessKey || !SessionToken || Number.isNaN(expiresAt)) {
    throw unusable('a field is missing');
  }
  if (expiresAt <= now) throw unusable(`they expired at ${new Date(expiresAt).toISOString()}; check the clocks`);
  return Object.freeze({
    kind: 'aws',
    accessKeyId: AccessKeyId,
    secretAccessKey: new Secret(SecretAccessKey),
    sessionToken: new Secret(SessionToken),
    expiresAt,
    region: grant.region,
  });
}

function unusable(problem: string): SvidxError {
  return new SvidxError('exchange_response_invalid', 'AWS STS answered without usable credentials', {
    detail: problem,
  });
}
