import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';

// A program that knows nothing of us: the default credentials of the AWS SDK, and one call for each argument.
const client = new STSClient({});
for (const _ of process.argv.slice(2)) {
  try {
    const { Arn } = await client.send(new GetCallerIdentityCommand({}));
    process.stdout.write(`${JSON.stringify({ ok: Arn })}\n`);
  } catch (error) {
    const { name = '', message = '', Code = '' } = Object(error);
    process.stdout.write(`${JSON.stringify({ name, message, code: Code })}\n`);
  }
}
