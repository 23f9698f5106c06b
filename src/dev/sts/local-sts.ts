import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../base/clock.ts';
import { isJsonObject, parseJson } from '../../base/json.ts';
import type { Logger } from '../../base/logger.ts';
import type { Listener } from '../../http/listener.ts';
import type { Session, Sessions } from '../aws/sessions.ts';
import { SignatureError, type SignatureProblem, verifySignature } from '../aws/signature.ts';
import { readSignedRequest, type SignedRequest } from '../aws/signed-request.ts';
import { StsError } from './errors.ts';
import { accountOf, providerArn, providerName, type Role } from './roles.ts';
import { allows } from './trust-policy.ts';
import { type OidcProvider, verifyWebIdentity } from './web-identity.ts';
import { errorXml, resultXml, type XmlElements } from './xml.ts';

export interface LocalStsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly sessions: Sessions;
  /** The account as it is now. */
  account(): Promise<LocalAccount>;
}

/** What IAM knows in the local AWS account. */
export interface LocalAccount {
  /** The OIDC providers that are registered. */
  readonly providers: readonly OidcProvider[];
  /** By ARN. */
  readonly roles: ReadonlyMap<string, Role>;
}

const MAX_BODY_BYTES = 64 * 1024;

/** The codes of STS for a signature that is refused (STS API reference, common errors); the status is 403. */
const SIGNATURE_ERRORS: Readonly<Record<SignatureProblem, readonly [code: string, message: string]>> = {
  missing: ['MissingAuthenticationToken', 'Request is missing Authentication Token'],
  incomplete: ['IncompleteSignature', 'The request signature does not conform to AWS standards'],
  'other-scope': ['IncompleteSignature', 'The request signature does not conform to AWS standards'],
  'unknown-key': ['InvalidClientTokenId', 'The security token included in the request is invalid'],
  'expired-key': ['ExpiredToken', 'The security token included in the request is expired'],
  skewed: ['SignatureDoesNotMatch', 'Signature expired or not yet current'],
  mismatch: ['SignatureDoesNotMatch', 'The request signature we calculated does not match the signature you provided'],
};

/**
 * A local AWS STS for development: AssumeRoleWithWebIdentity and AssumeRole with the checks that AWS makes, and
 * GetCallerIdentity, which proves that the credentials work. Answers in STS's XML with STS's error codes (query protocol, version 2011-06-15).
 */
export function serveLocalSts(listener: Listener, options: LocalStsOptions): void {
  listener.handle((incoming, response) => {
    const requestId = randomUUID();
    answer(incoming, requestId).then(
      (xml) => {
        response.writeHead(200, { 'Content-Type': 'text/xml', 'x-amzn-RequestId': requestId }).end(xml);
      },
      (thrown: unknown) => {
        if (!(thrown instanceof StsError)) options.logger.error({ error: thrown }, 'the local STS failed');
        const error = thrown instanceof StsError ? thrown : new StsError(500, 'InternalFailure', 'internal failure');
        response.writeHead(error.status, { 'Content-Type': 'text/xml', 'x-amzn-RequestId': requestId });
        response.end(errorXml(error, requestId));
      },
    );
  });

  async function answer(incoming: IncomingMessage, requestId: string): Promise<string> {
    if (incoming.method !== 'POST' || incoming.url !== '/') {
      throw new StsError(400, 'InvalidAction', 'the local STS answers POST / only');
    }
    const request = await readSignedRequest(incoming, MAX_BODY_BYTES);
    if (request === undefined) throw new StsError(413, 'RequestEntityTooLarge', 'the request is too large');
    const params = new URLSearchParams(Buffer.from(request.body).toString('utf8'));
    const action = params.get('Action') ?? '';
    if (params.get('Version') !== '2011-06-15') {
      throw new StsError(
        400,
        'InvalidAction',
        `Could not find operation ${action} for version ${params.get('Version')}`,
      );
    }
    switch (action) {
      case 'AssumeRoleWithWebIdentity':
        return resultXml(action, await assumeRoleWithWebIdentity(params), requestId);
      case 'AssumeRole':
        return resultXml(action, await assumeRole(params, request), requestId);
      case 'GetCallerIdentity':
        return resultXml(action, await callerIdentity(request), requestId);
      default:
        throw new StsError(400, 'InvalidAction', `Could not find operation ${action} for version 2011-06-15`);
    }
  }

  async function assumeRoleWithWebIdentity(params: URLSearchParams): Promise<XmlElements> {
    const request = assumeRequest(params, 43_200);
    const token = required(params, 'WebIdentityToken', /^.{4,20000}$/);
    const { providers, roles } = await options.account();
    const identity = await verifyWebIdentity(token, providers, options.clock.now());
    const role = roles.get(request.roleArn);
    if (role === undefined || !trustsWebIdentity(role, identity)) {
      throw new StsError(403, 'AccessDenied', 'Not authorized to perform sts:AssumeRoleWithWebIdentity');
    }
    const session = open(role, request);
    const { Credentials, AssumedRoleUser } = credentialElements(session);
    return {
      Credentials,
      SubjectFromWebIdentityToken: identity.subject,
      AssumedRoleUser,
      Provider: providerArn(session.account, identity.provider.issuer),
      Audience: identity.audience,
    };
  }

  async function assumeRole(params: URLSearchParams, signed: SignedRequest): Promise<XmlElements> {
    const caller = await callerOf(signed);
    // Role chaining is limited to one hour, whatever the second role allows (IAM user guide, role chaining).
    const request = assumeRequest(params, 3600);
    const role = (await options.account()).roles.get(request.roleArn);
    const externalId = params.get('ExternalId');
    const context = new Map(externalId === null ? [] : [['sts:ExternalId', externalId]]);
    const principal = caller.role.arn;
    if (role === undefined || !allows(role.trustPolicy, { action: 'sts:AssumeRole', principal, context })) {
      throw new StsError(
        403,
        'AccessDenied',
        `User: ${caller.arn} is not authorized to perform: sts:AssumeRole on resource: ${request.roleArn}`,
      );
    }
    return credentialElements(open(role, request));
  }

  function open(role: Role, { sessionName, seconds }: AssumeParameters): Session {
    if (seconds > role.maxSessionDuration) {
      throw validationError('The requested DurationSeconds exceeds the MaxSessionDuration set for this role.');
    }
    return options.sessions.open(role, sessionName, seconds);
  }

  async function callerIdentity(request: SignedRequest): Promise<XmlElements> {
    const { arn, userId, account } = await callerOf(request);
    return { Arn: arn, UserId: userId, Account: account };
  }

  async function callerOf(request: SignedRequest): Promise<Session> {
    const { find } = options.sessions;
    const expected = { service: 'sts', regions: undefined, find, now: options.clock.now() };
    try {
      return (await verifySignature(request, expected)).credential;
    } catch (error) {
      if (!(error instanceof SignatureError)) throw error;
      const [code, message] = SIGNATURE_ERRORS[error.problem];
      throw new StsError(403, code, message);
    }
  }
}

/** What both ways of assuming a role are told. */
interface AssumeParameters {
  readonly roleArn: string;
  readonly sessionName: string;
  readonly seconds: number;
}

function assumeRequest(params: URLSearchParams, maxSeconds: number): AssumeParameters {
  const roleArn = required(params, 'RoleArn', /^.{20,2048}$/);
  const sessionName = required(params, 'RoleSessionName', /^[\w+=,.@-]{2,64}$/);
  const duration = params.get('DurationSeconds') ?? '3600';
  const seconds = Number(duration);
  if (!/^\d{3,5}$/.test(duration) || seconds < 900 || seconds > maxSeconds) {
    throw validationError(`durationSeconds must be an integer from 900 to ${maxSeconds}`);
  }
  checkSessionPolicies(params);
  return { roleArn, sessionName, seconds };
}

/** Sessions are not narrowed by them here; but what AWS would refuse is refused. */
function checkSessionPolicies(params: URLSearchParams): void {
  const policy = params.get('Policy');
  const arns = [...params].filter(([name]) => /^PolicyArns\.member\.\d+\.arn$/.test(name)).map(([, arn]) => arn);
  if (policy !== null && !isPolicyDocument(policy)) {
    throw new StsError(400, 'MalformedPolicyDocument', 'This policy contains invalid Json');
  }
  if (arns.length > 10 || arns.some((arn) => !/^arn:aws[a-z-]*:iam::(\d{12}|aws):policy\/.{1,2000}$/.test(arn))) {
    throw validationError('policyArns must be at most 10 ARNs of managed policies');
  }
  if ((policy?.length ?? 0) + arns.join('').length > 2048) {
    throw new StsError(400, 'PackedPolicyTooLarge', 'Packed policy consumes more than 100% of allotted space');
  }
}

function isPolicyDocument(text: string): boolean {
  const policy = parseJson(Buffer.from(text));
  return isJsonObject(policy) && policy['Version'] !== undefined && policy['Statement'] !== undefined;
}

function credentialElements(session: Session): Readonly<Record<'Credentials' | 'AssumedRoleUser', XmlElements>> {
  return {
    Credentials: {
      AccessKeyId: session.accessKeyId,
      SecretAccessKey: session.secretAccessKey,
      SessionToken: session.sessionToken,
      Expiration: new Date(session.expiresAt).toISOString().replace(/\.\d{3}Z$/, 'Z'),
    },
    AssumedRoleUser: { AssumedRoleId: session.userId, Arn: session.arn },
  };
}

function trustsWebIdentity(role: Role, identity: Awaited<ReturnType<typeof verifyWebIdentity>>): boolean {
  const issuer = identity.provider.issuer;
  const name = providerName(issuer);
  return allows(role.trustPolicy, {
    action: 'sts:AssumeRoleWithWebIdentity',
    principal: providerArn(accountOf(role.arn), issuer),
    context: new Map([
      [`${name}:sub`, identity.subject],
      [`${name}:aud`, identity.audience],
    ]),
  });
}

function required(params: URLSearchParams, name: string, shape: RegExp): string {
  const values = params.getAll(name);
  const [value] = values;
  if (value === undefined || values.length > 1 || !shape.test(value)) {
    throw validationError(`Value at '${name}' failed to satisfy constraint: ${shape.source}`);
  }
  return value;
}

function validationError(message: string): StsError {
  return new StsError(400, 'ValidationError', message);
}
