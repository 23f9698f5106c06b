import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { z } from 'zod';
import { buildApiGateway } from './build.ts';
import { print, printFields, printStep, printTitle } from './demo/print.ts';
import { type StartedProgram, startNode } from './demo/start-node.ts';
import { startWasmpayDemo } from './demo/wasmpay.ts';
import { wasmpayPolicy } from './demo/wasmpay-policy.ts';
import { runNode } from './run-node.ts';

/**
 * The whole flow on real parts, with the commands a user would type: a component gets an identity, trades it for AWS
 * credentials, another component that was not granted them gets nothing, and a third one behind HTTP calls a model as
 * itself. Needs no SPIRE, no cloud and no secret.
 */

const SVIDX = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const SAMPLE_POLICIES = fileURLToPath(new URL('../policies', import.meta.url));
const AUDIENCE = 'sts.amazonaws.com';
const GRANT = 'bedrock';

/** How much later than other processes of the group this one may learn of a signal. Milliseconds. */
const SIGNAL_MS = 100;

const readyLine = z.object({ issuer: z.string(), broker: z.string(), sts: z.string(), spire: z.string() });
const claimsResult = z.object({ ok: z.string().transform((json) => claims.parse(JSON.parse(json))) });
const claims = z.object({
  sub: z.string(),
  iss: z.string(),
  aud: z.array(z.string()),
  iat: z.number(),
  exp: z.number(),
});
const credentialsResult = z.object({
  ok: z.object({
    val: z.object({
      accessKeyId: z.string(),
      secretAccessKey: z.string(),
      sessionToken: z.string(),
      expiration: z.number(),
      region: z.string(),
    }),
  }),
});
const deniedResult = z.object({
  err: z.object({ tag: z.string(), val: z.object({ code: z.string(), message: z.string() }) }),
});

/** Aborted by the first signal, with its name; a second one ends the process at once. */
const stopping = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stopping.abort(name));

const folder = await mkdtemp(join(tmpdir(), 'svidx-demo-'));
let dev: StartedProgram | undefined;
// It takes a while, and is shown last.
const wasmpay = startWasmpayDemo(stopping.signal);
try {
  printTitle('svid-exchange: a WebAssembly component, its own identity, and AWS credentials for it');

  printStep(
    1,
    'Start the service with its embedded trust domain (development only)',
    'svidx dev --json --policies policies',
  );
  const policies = join(folder, 'policies');
  const { text, devArgs } = await wasmpayPolicy();
  await cp(SAMPLE_POLICIES, policies, { recursive: true });
  await writeFile(join(policies, 'wasmpay.yaml'), text);
  dev = startNode([SVIDX, 'dev', '--json', '--log-level', 'error', '--policies', policies, ...devArgs]);
  const ready = readyLine.parse(JSON.parse(await dev.firstLine(stopping.signal)));
  printFields({ issuer: ready.issuer, 'AWS STS': ready.sts, SPIRE: ready.spire });
  wasmpay.run(SVIDX, ready.broker);

  printStep(2, 'Build the example component from TypeScript', 'jco componentize examples/api-gateway/api-gateway.ts');
  const component = join(folder, 'api-gateway.wasm');
  await buildApiGateway(component, stopping.signal);
  printFields({ component });

  printStep(3, 'The component asks its host who it is', run('api-gateway', 'claims', AUDIENCE));
  const identity = claimsResult.parse(await callComponent('api-gateway', 'claims', AUDIENCE)).ok;
  printFields({ sub: identity.sub, iss: identity.iss, aud: identity.aud.join(', '), expires: time(identity.exp) });

  printStep(4, 'The component asks for the credentials it is granted', run('api-gateway', 'credentials-for', GRANT));
  const credentials = credentialsResult.parse(await callComponent('api-gateway', 'credentials-for', GRANT)).ok.val;
  const { accessKeyId, secretAccessKey, sessionToken, expiration, region } = credentials;
  printFields({ accessKeyId, expires: time(expiration), region });

  printStep(5, 'AWS STS says who these credentials are', 'aws sts get-caller-identity');
  const sts = new STSClient({
    region,
    endpoint: ready.sts,
    credentials: { accessKeyId, secretAccessKey, sessionToken },
  });
  const { Arn, Account } = await sts.send(new GetCallerIdentityCommand({}), { abortSignal: stopping.signal });
  printFields({ arn: Arn, account: Account });

  printStep(6, 'The same code as another component, which has no such grant', run('ledger', 'credentials-for', GRANT));
  const { tag, val: denied } = deniedResult.parse(await callComponent('ledger', 'credentials-for', GRANT)).err;
  printFields({ [tag]: `${denied.code}: ${denied.message}` });

  const stories = await wasmpay.show(7);

  print('');
  print(
    JSON.stringify({
      ok: true,
      spiffeId: identity.sub,
      issuer: identity.iss,
      audience: identity.aud,
      accessKeyId,
      expiration: time(expiration),
      callerArn: Arn,
      denied: denied.code,
      stories,
    }),
  );

  async function callComponent(name: string, fn: string, argument: string): Promise<unknown> {
    const args = [
      SVIDX,
      'run',
      component,
      '--json',
      '--component',
      name,
      '--call',
      fn,
      '--args',
      JSON.stringify([argument]),
    ];
    const env = { ...process.env, SVIDX_SOCKET: ready.broker };
    // A function's own error ends the command with 1; the JSON on its stdout says which.
    const stdout = await runNode(args, { env, signal: stopping.signal }).catch(
      (error: { stdout?: string; stderr?: string }) => {
        stopping.signal.throwIfAborted();
        if (error.stdout) return error.stdout;
        throw new Error(error.stderr ?? 'svidx run failed');
      },
    );
    return JSON.parse(stdout);
  }
} catch (error) {
  // Ctrl-C ends the other programs as well, and that they are gone may be noticed before the signal is.
  if (!stopping.signal.aborted) await setTimeout(SIGNAL_MS);
  if (!stopping.signal.aborted) throw error;
} finally {
  await wasmpay.end();
  await dev?.end();
  await rm(folder, { recursive: true, force: true });
}
// Whoever sent the signal learns that it was the end of this process.
if (stopping.signal.aborted) process.kill(process.pid, stopping.signal.reason);

function run(component: string, fn: string, argument: string): string {
  return `svidx run api-gateway.wasm --component ${component} --call ${fn} --args '["${argument}"]'`;
}

function time(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
