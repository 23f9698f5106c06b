import { describe, expect, test } from 'vitest';
import { grantSchema } from '../../../src/credentials/grant.ts';

const AWS = { roleArn: 'arn:aws:iam::111122223333:role/models', region: 'us-east-1' };

function parse(changes: object): unknown {
  return grantSchema.parse({ aws: { ...AWS, ...changes } });
}

function problems(changes: object): string[] {
  const result = grantSchema.safeParse({ aws: { ...AWS, ...changes } });
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('session policies', () => {
  test('become the JSON that STS is sent', () => {
    const policy = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 's3:Get*', Resource: '*' }] };
    const policyArns = ['arn:aws:iam::aws:policy/ReadOnlyAccess', 'arn:aws-cn:iam::111122223333:policy/team/x+=,.@-_'];
    expect(parse({ sessionPolicy: policy, policyArns })).toMatchObject({
      sessionPolicy: JSON.stringify(policy),
      policyArns,
    });
    expect(parse({})).toMatchObject({ sessionPolicy: undefined, policyArns: [], assumeRole: undefined });
  });

  test('of exactly 2,048 characters are the longest', () => {
    const ofLength = (length: number) => ({ sessionPolicy: { a: 'x'.repeat(length - 8) } });
    expect(parse(ofLength(2048))).toMatchObject({ sessionPolicy: expect.stringMatching(/^.{2048}$/) });
    expect(problems(ofLength(2049))).toEqual([
      'aws.sessionPolicy: expected a policy of at most 2048 characters of Latin-1, as JSON without blanks',
    ]);
  });

  test.each([
    ['a text', { sessionPolicy: '{}' }, 'aws.sessionPolicy: Invalid input: expected record, received string'],
    ['a list', { sessionPolicy: [] }, 'aws.sessionPolicy: Invalid input: expected record, received array'],
    ['with a letter beyond Latin-1', { sessionPolicy: { a: '\u0100' } }, 'aws.sessionPolicy: expected a policy'],
    ['no managed policy', { policyArns: [] }, 'aws.policyArns: expected at least one policy'],
    ['eleven of them', { policyArns: Array(11).fill('arn:aws:iam::aws:policy/P') }, 'aws.policyArns: Too big'],
    ['a role in their place', { policyArns: [AWS.roleArn] }, 'aws.policyArns.0: expected the ARN of a managed policy'],
  ])('%s are refused', (_, changes, problem) => {
    expect(problems(changes)).toEqual([expect.stringContaining(problem)]);
  });
});

describe('a second role', () => {
  const SECOND = 'arn:aws-us-gov:iam::444455556666:role/a/b';

  test('is what the audit names, and lives for one hour where nothing else is said', () => {
    expect(parse({ assumeRole: { roleArn: SECOND } })).toMatchObject({
      target: SECOND,
      roleArn: AWS.roleArn,
      assumeRole: { roleArn: SECOND, durationSeconds: 3600, externalId: undefined },
    });
  });

  test.each([
    ['no role', {}, 'aws.assumeRole.roleArn: Invalid input: expected string, received undefined'],
    [
      'more than one hour',
      { roleArn: SECOND, duration: '61m' },
      'aws.assumeRole.duration: expected a duration of 15m to 1h',
    ],
    ['less than 15 minutes', { roleArn: SECOND, duration: '899s' }, 'aws.assumeRole.duration: expected a duration'],
    ['a short external ID', { roleArn: SECOND, externalId: 'x' }, 'aws.assumeRole.externalId: expected an external ID'],
    [
      'an external ID with a blank',
      { roleArn: SECOND, externalId: 'a b' },
      'aws.assumeRole.externalId: expected an external ID',
    ],
    ['an unknown key', { roleArn: SECOND, region: 'us-east-1' }, 'aws.assumeRole: Unrecognized key: "region"'],
  ])('%s is refused', (_, assumeRole, problem) => {
    expect(problems({ assumeRole })).toEqual([expect.stringContaining(problem)]);
  });
});
