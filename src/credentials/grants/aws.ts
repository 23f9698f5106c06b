import { z } from 'zod';
import { durationSchema } from '../../base/duration.ts';

/** What AWS STS expects in `aud` where nothing else is registered (IAM user guide, OIDC identity providers). */
export const AWS_DEFAULT_AUDIENCE = 'sts.amazonaws.com';

/** Of any partition: `aws`, `aws-cn`, `aws-us-gov`, `aws-eusc`...; an optional path, and a name of at most 64 characters. */
const ROLE_ARN = /^arn:aws(-[a-z]+)*:iam::\d{12}:role\/([\w+=,.@-]+\/)*[\w+=,.@-]{1,64}$/;

/** `us-east-1`, `us-gov-west-1`, `eusc-de-east-1`. */
const REGION = /^[a-z]{2,4}(-[a-z]+)+-\d{1,2}$/;

export const awsGrantDocument = z
  .strictObject({
    roleArn: z
      .string()
      .max(2048)
      .regex(ROLE_ARN, 'expected the ARN of an IAM role')
      .describe('The IAM role to assume.'),
    region: z
      .string()
      .regex(REGION, 'expected an AWS region, such as us-east-1')
      .describe('The region whose STS is asked, and the one that users of the credentials are told.'),
    duration: durationSchema({ min: 900, max: 43_200 }, '1h').describe(
      "How long the credentials live: 15m to 12h, at most the role's own maximum.",
    ),
  })
  .describe('AWS: AssumeRoleWithWebIdentity.');

/** The credentials of an IAM role. */
export interface AwsGrant {
  readonly kind: 'aws';
  /** The one audience of the JWT-SVID that is exchanged. */
  readonly audience: string;
  /** What the audit names: the role's ARN. */
  readonly target: string;
  readonly roleArn: string;
  readonly region: string;
  /** 900 to 43,200. */
  readonly durationSeconds: number;
}

export function awsGrant(document: z.output<typeof awsGrantDocument>, audience = AWS_DEFAULT_AUDIENCE): AwsGrant {
  const { roleArn, region, duration } = document;
  return { kind: 'aws', audience, target: roleArn, roleArn, region, durationSeconds: duration };
}
