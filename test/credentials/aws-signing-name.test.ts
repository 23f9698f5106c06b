import { expect, test } from 'vitest';
import { awsSigningName } from '../../src/credentials/aws-signing-name.ts';

test.each([
  ['bedrock-runtime.us-east-1.amazonaws.com', 'bedrock'],
  ['bedrock-runtime-fips.us-gov-west-1.amazonaws.com', 'bedrock'],
  ['bedrock-agent-runtime.eu-central-1.amazonaws.com', 'bedrock'],
  ['bedrock.us-east-1.amazonaws.com', 'bedrock'],
  ['sts.eu-central-1.amazonaws.com', 'sts'],
  ['dynamodb.us-east-1.amazonaws.com', 'dynamodb'],
  ['streams.dynamodb.us-east-1.amazonaws.com', 'dynamodb'],
  ['email.us-east-1.amazonaws.com', 'ses'],
  ['api.ecr.us-east-1.amazonaws.com', 'ecr'],
  ['runtime.sagemaker.us-east-1.amazonaws.com', 'sagemaker'],
  ['lambda.us-east-1.api.aws', 'lambda'],
  ['sqs.cn-north-1.amazonaws.com.cn', 'sqs'],
  ['s3.us-west-2.amazonaws.com', 's3'],
  ['bucket.s3.us-west-2.amazonaws.com', 's3'],
  ['my.bucket.s3.us-west-2.amazonaws.com', 's3'],
  ['a1b2c3.execute-api.us-east-1.amazonaws.com', 'execute-api'],
])('%s is signed for %s', (host, service) => {
  expect(awsSigningName(host)).toBe(service);
});

test.each([
  'amazonaws.com',
  'us-east-1.amazonaws.com',
  's3.amazonaws.com',
  'iam.amazonaws.com',
  'unknown.parts.us-east-1.amazonaws.com',
  'bedrock-runtime.us-east-1.amazonaws.com.example.org',
  'bedrock-runtime.us-east-1.example.org',
  'bedrock-runtime.us-east-1.amazonaws.org',
  'bedrock-runtime.nowhere.amazonaws.com',
  'constructor.us-east-1.amazonaws.com.',
  '127.0.0.1',
  'localhost',
  '',
])('%j does not tell', (host) => {
  expect(awsSigningName(host)).toBeUndefined();
});
