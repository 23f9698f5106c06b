import {
  AssumeRoleCommand,
  AssumeRoleWithWebIdentityCommand,
  STSClient,
  type STSClientConfig,
  type Credentials as StsCredentials,
} from '@aws-sdk/client-sts';
import { retry } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import type { AwsCredentials } from '../credentials/credentials.ts';
import type { AwsGrant, ChainedRole } from '../credentials/grants/aws.ts';
import type { JwtSvid } from '../spiffe/jwt-svid.ts';
import { toExchangeError } from './aws-errors.ts';
import { boundedBody } from './bounded-body.ts';
import type { Exchanger } from './exchanger.ts';
import { VERIFIED_TLS } from './http-client.ts';
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

/**
 * AssumeRoleWithWebIdentity: a JWT-SVID for the credentials of an IAM role; the request itself needs no credentials. Where
 * the grant names a second role, AssumeRole with the credentials of the first follows.
 */
export function createAwsExchanger(options: AwsExchangerOptions): Exchanger<AwsGrant, AwsCredentials> {
  const { clock, random } = options;
  const clients = new Map<string, STSClient>();

  function clientFor(region: string): STSClient {
    const known = clients.get(region);
    if (known !== undefined) return known;
    const client = new STSClient(clientConfig(region));
    clients.set(region, client);
    return client;
  }

  function clientConfig(region: string): STSClientConfig {
    return {
      ...NOTHING_FROM_THE_HOST,
      region,
      ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
      // Retries are ours, so that they are bounded in one place and go by the clock that was handed in.
      maxAttempts: 1,
      requestHandler: {
        connectionTimeout: CONNECT_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        throwOnRequestTimeout: true,
        httpsAgent: VERIFIED_TLS,
      },
      streamCollector: boundedBody(MAX_RESPONSE_BYTES),
    };
  }

  async function assumeRoleWithWebIdentity(
    svid: JwtSvid,
    grant: AwsGrant,
    signal: AbortSignal,
  ): Promise<StsCredentials | undefined> {
    const command = new AssumeRoleWithWebIdentityCommand({
      RoleArn: grant.roleArn,
      RoleSessionName: roleSessionName(svid.spiffeId),
      WebIdentityToken: svid.token.reveal(),
      DurationSeconds: grant.durationSeconds,
      ...(grant.assumeRole === undefined ? sessionPolicies(grant) : {}),
    });
    try {
      return (await clientFor(grant.region).send(command, { abortSignal: signal })).Credentials;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw toExchangeError(error, 'AssumeRoleWithWebIdentity', [svid.token]);
    }
  }

  async function assumeRole(
    { spiffeId }: JwtSvid,
    first: AwsCredentials,
    role: ChainedRole,
    grant: AwsGrant,
    signal: AbortSignal,
  ): Promise<StsCredentials | undefined> {
    const { accessKeyId, secretAccessKey, sessionToken } = first;
    const client = new STSClient({
      ...clientConfig(grant.region),
      credentials: { accessKeyId, secretAccessKey: secretAccessKey.reveal(), sessionToken: sessionToken.reveal() },
    });
    const command = new AssumeRoleCommand({
      RoleArn: role.roleArn,
      RoleSessionName: roleSessionName(spiffeId),
      DurationSeconds: role.durationSeconds,
      ExternalId: role.externalId,
      ...sessionPolicies(grant),
    });
    try {
      return (await client.send(command, { abortSignal: signal })).Credentials;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw toExchangeError(error, 'AssumeRole', [secretAccessKey, sessionToken]);
    } finally {
      client.destroy();
    }
  }

  return {
    async exchange(subjectToken, grant, { signal }) {
      const attempts = <T>(step: () => Promise<T>): Promise<T> =>
        retry(step, { ...RETRY, clock, random, isRetryable: isTransient, signal });
      const { region, assumeRole: second } = grant;
      const own = await attempts(() => assumeRoleWithWebIdentity(subjectToken, grant, signal));
      const credentials = toCredentials(own, region, clock.now());
      if (second === undefined) return credentials;
      const chained = await attempts(() => assumeRole(subjectToken, credentials, second, grant, signal));
      return toCredentials(chained, region, clock.now());
    },
  };
}

/** They narrow the credentials that are handed out, so they go with the last role that is assumed. */
function sessionPolicies({ sessionPolicy, policyArns }: AwsGrant) {
  return {
    ...(sessionPolicy === undefined ? {} : { Policy: sessionPolicy }),
    ...(policyArns.length === 0 ? {} : { PolicyArns: policyArns.map((arn) => ({ arn })) }),
  };
}

function isTransient(error: unknown): boolean {
  return error instanceof SvidxError && (error.code === 'exchange_unavailable' || error.code === 'exchange_throttled');
}

function toCredentials(answer: StsCredentials | undefined, region: string, now: number): AwsCredentials {
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = answer ?? {};
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
    region,
  });
}

function unusable(problem: string): SvidxError {
  return new SvidxError('exchange_response_invalid', 'AWS STS answered without usable credentials', {
    detail: problem,
  });
}
