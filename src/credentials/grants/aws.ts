import { z } from 'zod';
import { durationSchema } from '../../base/duration.ts';

/** What AWS STS expects in `aud` where nothing else is registered (IAM user guide, OIDC identity providers). */
export const AWS_DEFAULT_AUDIENCE = 'sts.amazonaws.com';

/** Of any partition: `aws`, `aws-cn`, `aws-us-gov`, `aws-eusc`...; an optional path, and a name of at most 64 characters. */
const ROLE_ARN = /^arn:aws(-[a-z]+)*:iam::\d{12}:role\/([\w+=,.@-]+\/)*[\w+=,.@-]{1,64}$/;

/** `us-east-1`, `us-gov-west-1`, `eusc-de-east-1`. */
const REGION = /^[a-z]{2,4}(-[a-z]+)+-\d{1,2}$/;

/** Of a policy that AWS or the account manages; an optional path, and a name of at most 128 characters. */
const POLICY_ARN = /^arn:aws(-[a-z]+)*:iam::(\d{12}|aws):policy\/([\w+=,.@-]+\/)*[\w+=,.@-]{1,128}$/;

/** STS counts the text, in the characters that it takes (STS API reference, AssumeRoleWithWebIdentity, Policy). */
const MAX_SESSION_POLICY_CHARS = 2048;

/** 2 to 1,224 characters (STS API reference, AssumeRole, ExternalId). */
const EXTERNAL_ID = /^[\w+=,.@:/-]{2,1224}$/;

const roleArnText = z.string().max(2048).regex(ROLE_ARN, 'expected the ARN of an IAM role');

/** Written as it would be in IAM: an object, in YAML or JSON. */
const sessionPolicy = z.record(z.string(), z.unknown()).transform((policy, context) => {
  const text = JSON.stringify(policy);
  if (text.length <= MAX_SESSION_POLICY_CHARS && /^[\x20-\xff]*$/.test(text)) return text;
  context.addIssue({
    code: 'custom',
    message: `expected a policy of at most ${MAX_SESSION_POLICY_CHARS} characters of Latin-1, as JSON without blanks`,
  });
  return z.NEVER;
});

export const awsGrantDocument = z
  .strictObject({
    roleArn: roleArnText.describe('The IAM role to assume.'),
    region: z
      .string()
      .regex(REGION, 'expected an AWS region, such as us-east-1')
      .describe('The region whose STS is asked, and the one that users of the credentials are told.'),
    duration: durationSchema({ min: 900, max: 43_200 }, '1h').describe(
      "How long the credentials live: 15m to 12h, at most the role's own maximum.",
    ),
    sessionPolicy: sessionPolicy
      .optional()
      .describe('An IAM policy that narrows what the role may do, for these credentials alone.'),
    policyArns: z
      .array(z.string().max(2048).regex(POLICY_ARN, 'expected the ARN of a managed policy'))
      .min(1, 'expected at least one policy; leave the key out for none')
      .max(10)
      .optional()
      .describe('Managed policies that narrow it, at most 10.'),
    assumeRole: z
      .strictObject({
        roleArn: roleArnText.describe('A second role, assumed with the credentials of the first (role chaining).'),
        duration: durationSchema({ min: 900, max: 3_600 }, '1h').describe(
          "How long the second role's credentials live: 15m to 1h, which is AWS' limit for chained roles.",
        ),
        externalId: z
          .string()
          .regex(EXTERNAL_ID, 'expected an external ID of 2 to 1,224 letters, digits and + = , . @ : / -')
          .optional()
          .describe("What the second role's trust policy may want as `sts:ExternalId`."),
      })
      .optional(),
  })
  .describe('AWS: AssumeRoleWithWebIdentity.');

/** The credentials of an IAM role. */
export interface AwsGrant {
  readonly kind: 'aws';
  /** The one audience of the JWT-SVID that is exchanged. */
  readonly audience: string;
  /** What the audit names: the ARN of the role whose credentials are handed out. */
  readonly target: string;
  readonly roleArn: string;
  readonly region: string;
  /** 900 to 43,200. */
  readonly durationSeconds: number;
  /** What narrows the credentials that are handed out: a policy as JSON, and ARNs of managed ones. */
  readonly sessionPolicy: string | undefined;
  readonly policyArns: readonly string[];
  /** The role whose credentials are handed out, where it is not the first. */
  readonly assumeRole: ChainedRole | undefined;
}

export interface ChainedRole {
  readonly roleArn: string;
  /** 900 to 3,600. */
  readonly durationSeconds: number;
  readonly externalId: string | undefined;
}

export function awsGrant(document: z.output<typeof awsGrantDocument>, audience = AWS_DEFAULT_AUDIENCE): AwsGrant {
  const { roleArn, region, duration, sessionPolicy, policyArns = [], assumeRole } = document;
  return {
    kind: 'aws',
    audience,
    target: assumeRole?.roleArn ?? roleArn,
    roleArn,
    region,
    durationSeconds: duration,
    sessionPolicy,
    policyArns: Object.freeze(policyArns),
    assumeRole:
      assumeRole &&
      Object.freeze({
        roleArn: assumeRole.roleArn,
        durationSeconds: assumeRole.duration,
        externalId: assumeRole.externalId,
      }),
  };
}
