import { partition } from '@aws-sdk/core/client';
import { describe, expect, test } from 'vitest';
import { grantSchema } from '../../src/credentials/grant.ts';
import type { AwsGrant } from '../../src/credentials/grants/aws.ts';

const ROLE = 'arn:aws:iam::111122223333:role/models';
const ONE_TARGET = 'expected exactly one of aws, azure, gcp, vault, oauth';
const GOOD = { aws: { roleArn: ROLE, region: 'us-east-1', duration: '15m' } };

function parse(value: unknown): AwsGrant {
  const grant = grantSchema.parse(value);
  if (grant.kind !== 'aws') throw new Error(`expected a grant for AWS, and got ${grant.kind}`);
  return grant;
}

/** What is wrong with a grant: each problem as `key: message`. */
function problems(value: unknown): string[] {
  const result = grantSchema.safeParse(value);
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

function withAws(changes: Record<string, unknown>): unknown {
  return { aws: { ...GOOD.aws, ...changes } };
}

describe('a good grant', () => {
  test('is read into a frozen value with the default audience of its target', () => {
    const grant = parse(GOOD);
    expect(grant).toEqual({
      kind: 'aws',
      audience: 'sts.amazonaws.com',
      target: ROLE,
      roleArn: ROLE,
      region: 'us-east-1',
      durationSeconds: 900,
      sessionPolicy: undefined,
      policyArns: [],
      assumeRole: undefined,
    });
    expect(Object.isFrozen(grant)).toBe(true);
  });

  test('lives for one hour where nothing else is said', () => {
    expect(parse({ aws: { roleArn: ROLE, region: 'us-east-1' } }).durationSeconds).toBe(3600);
  });

  test('has an audience of its own where it says so', () => {
    expect(parse({ ...GOOD, audience: 'my own/audience ü' }).audience).toBe('my own/audience ü');
  });
});

describe('a role ARN', () => {
  test.each([
    'arn:aws:iam::000000000000:role/a',
    'arn:aws-cn:iam::111122223333:role/a',
    'arn:aws-us-gov:iam::111122223333:role/a',
    'arn:aws-eusc:iam::111122223333:role/a',
    'arn:aws-iso-b:iam::111122223333:role/a',
    'arn:aws:iam::111122223333:role/service-role/deep/A_b+c=d,e.f@g-h',
    `arn:aws:iam::111122223333:role/${'n'.repeat(64)}`,
  ])('may be %s', (roleArn) => {
    expect(parse(withAws({ roleArn })).roleArn).toBe(roleArn);
  });

  test.each([
    ['empty', ''],
    ['a name alone', 'models'],
    ['of another service', 'arn:aws:sts::111122223333:role/models'],
    ['of a user', 'arn:aws:iam::111122223333:user/models'],
    ['of a session', 'arn:aws:sts::111122223333:assumed-role/models/session'],
    ['with a region', 'arn:aws:iam:us-east-1:111122223333:role/models'],
    ['without an account', 'arn:aws:iam:::role/models'],
    ['with an account of 11 digits', 'arn:aws:iam::11112222333:role/models'],
    ['with an account of 13 digits', 'arn:aws:iam::1111222233334:role/models'],
    ['with an account in other digits', 'arn:aws:iam::١١١١٢٢٢٢٣٣٣٣:role/models'],
    ['without a name', 'arn:aws:iam::111122223333:role/'],
    ['with a path but no name', 'arn:aws:iam::111122223333:role/path/'],
    ['with an empty path segment', 'arn:aws:iam::111122223333:role//models'],
    ['with a name of 65 characters', `arn:aws:iam::111122223333:role/${'n'.repeat(65)}`],
    ['with a wildcard', 'arn:aws:iam::111122223333:role/*'],
    ['with a letter beyond ASCII', 'arn:aws:iam::111122223333:role/mödels'],
    ['in upper case', 'ARN:AWS:IAM::111122223333:ROLE/MODELS'],
    ['of an unheard-of partition', 'arn:evil:iam::111122223333:role/models'],
    ['with space before', ` ${ROLE}`],
    ['with a line end', `${ROLE}\n`],
    ['twice', `${ROLE}${ROLE}`],
  ])('is not %s', (_, roleArn) => {
    expect(problems(withAws({ roleArn }))).toEqual(['aws.roleArn: expected the ARN of an IAM role']);
  });

  test('has at most 2048 characters', () => {
    const ofLength = (length: number): string => {
      const frame = `arn:aws:iam::111122223333:role//${'n'.repeat(64)}`;
      return frame.replace('//', `/${'p'.repeat(length - frame.length)}/`);
    };
    expect(problems(withAws({ roleArn: ofLength(2048) }))).toEqual([]);
    expect(problems(withAws({ roleArn: ofLength(2049) }))).toHaveLength(1);
  });
});

describe('a region', () => {
  test.each([
    ['us-east-1', 'aws'],
    ['ap-southeast-7', 'aws'],
    ['us-gov-west-1', 'aws-us-gov'],
    ['us-isob-east-1', 'aws-iso-b'],
    ['cn-northwest-1', 'aws-cn'],
    ['eusc-de-east-1', 'aws-eusc'],
  ])('may be %s, a region of what the SDK calls %s, with a role of that partition', (region, partitionName) => {
    const roleArn = `arn:${partitionName}:iam::111122223333:role/models`;
    expect(parse(withAws({ roleArn, region }))).toMatchObject({ roleArn, region });
    expect(partition(region).name).toBe(partitionName);
  });

  test.each([
    '',
    'us-east',
    'useast1',
    'US-EAST-1',
    'us_east_1',
    'us-east-1a',
    'us-east-100',
    'us-east-1 ',
    ' us-east-1',
    'us-east-1\n',
    'us-east-1.evil.example.org',
    'us-east-1/../x',
    'evil.example.org#-1',
    'u-east-1',
    'europe-west-1',
    'ùs-east-1',
    'aws-global',
    '*',
  ])('is not %j', (region) => {
    expect(problems(withAws({ region }))).toEqual(['aws.region: expected an AWS region, such as us-east-1']);
  });
});

describe('a duration', () => {
  test.each([
    ['15m', 900],
    ['900s', 900],
    ['1h', 3600],
    ['12h', 43_200],
    ['43200s', 43_200],
  ])('may be %s', (duration, seconds) => {
    expect(parse(withAws({ duration })).durationSeconds).toBe(seconds);
  });

  test.each([
    '899s',
    '14m',
    '43201s',
    '13h',
    '1d',
    '0s',
    '-15m',
    '015m',
    '15',
    'm',
    '1.5h',
    '15 m',
    '15M',
    '15min',
    '9e2s',
    '١٥m',
    '99999999s',
    '',
  ])('is not %j', (duration) => {
    expect(problems(withAws({ duration }))).toEqual(['aws.duration: expected a duration of 15m to 12h, such as 1h']);
  });
});

describe('an audience', () => {
  test('has 1 to 255 characters', () => {
    expect(problems({ ...GOOD, audience: 'a' })).toEqual([]);
    expect(problems({ ...GOOD, audience: 'a'.repeat(255) })).toEqual([]);
    expect(problems({ ...GOOD, audience: 'a'.repeat(256) })).toHaveLength(1);
    expect(problems({ ...GOOD, audience: '' })).toEqual(['audience: expected an audience, not an empty text']);
  });

  test('holds any character but control characters', () => {
    const refused = Array.from({ length: 0x180 }, (_, code) => code).filter(
      (code) => problems({ ...GOOD, audience: `a${String.fromCharCode(code)}b` }).length > 0,
    );
    const controls = [...Array(0x20).keys(), ...Array.from({ length: 0x21 }, (_, index) => 0x7f + index)];
    expect(refused).toEqual(controls);
  });
});

describe('the form of a grant', () => {
  test.each([
    ['an unknown key', { ...GOOD, evil: 1 }, ': Unrecognized key: "evil"'],
    ['an unknown key of its target', withAws({ roleSessionName: 'x' }), 'aws: Unrecognized key: "roleSessionName"'],
    ['an unknown target', { ibm: {} }, ': Unrecognized key: "ibm"'],
    ['two targets', { ...GOOD, vault: { address: 'https://vault.example.org', role: 'r' } }, `: ${ONE_TARGET}`],
    ['no target', {}, `: ${ONE_TARGET}`],
    ['no role', { aws: { region: 'us-east-1' } }, 'aws.roleArn: Invalid input: expected string, received undefined'],
    ['no region', { aws: { roleArn: ROLE } }, 'aws.region: Invalid input: expected string, received undefined'],
    ['a list of targets', { aws: [GOOD.aws] }, 'aws: Invalid input: expected object, received array'],
    [
      'a role that is a number',
      withAws({ roleArn: 1 }),
      'aws.roleArn: Invalid input: expected string, received number',
    ],
    ['a region that is null', withAws({ region: null }), 'aws.region: Invalid input: expected string, received null'],
    [
      'a duration that is a number of seconds',
      withAws({ duration: 900 }),
      'aws.duration: Invalid input: expected string, received number',
    ],
    [
      'audiences that are a list',
      { ...GOOD, audience: ['a'] },
      'audience: Invalid input: expected string, received array',
    ],
    ['a text', 'aws', ': Invalid input: expected object, received string'],
    ['nothing', null, ': Invalid input: expected object, received null'],
  ])('is not %s, and the key is named', (_, value, problem) => {
    expect(problems(value)).toContain(problem);
  });

  test('has each of several problems named', () => {
    const value = { aws: { roleArn: 'x', region: 'y', duration: 'z' }, audience: '\n' };
    expect(problems(value).map((problem) => problem.split(':')[0])).toEqual([
      'aws.roleArn',
      'aws.region',
      'aws.duration',
      'audience',
    ]);
  });
});
