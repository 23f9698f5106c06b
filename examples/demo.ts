import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { styleText } from 'node:util';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { z } from 'zod';
import { buildApiGateway } from './build.ts';
import { runNode } from './run-node.ts';

/**
 * The whole flow on real parts, with the commands a user would type: a component gets an identity, trades it for AWS
 * credentials, and another component that was not granted them gets nothing. Needs no SPIRE, no cloud and no secret.
 */

const SVIDX = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const AUDIENCE = 'sts.amazonaws.com';
const GRANT = 'bedrock';

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
let dev: ChildProcess | undefined;
try {
  title('svid-exchange: a WebAssembly component, its own identity, and AWS credentials for it');

  step(1, 'Start the service with its embedded trust domain (development only)', 'svidx dev --json');
  dev = spawn(process.execPath, [SVIDX, 'dev', '--json', '--log-level', 'error'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ready = readyLine.parse(JSON.parse(await firstLine(dev, stopping.signal)));
  show({ issuer: ready.issuer, 'AWS STS': ready.sts, SPIRE: ready.spire });

  step(2, 'Build the example component from TypeScript', 'jco componentize examples/api-gateway/api-gateway.ts');
  const component = join(folder, 'api-gateway.wasm');
  await buildApiGateway(component, stopping.signal);
  show({ component });

  step(3, 'The component asks its host who it is', run('api-gateway', 'claims', AUDIENCE));
  const identity = claimsResult.parse(await callComponent('api-gateway', 'claims', AUDIENCE)).ok;
  show({ sub: identity.sub, iss: identity.iss, aud: identity.aud.join(', '), expires: time(identity.exp) });

  step(4, 'The component asks for the credentials it is granted', run('api-gateway', 'credentials-for', GRANT));
  const credentials = credentialsResult.parse(await callComponent('api-gateway', 'credentials-for', GRANT)).ok.val;
  const { accessKeyId, secretAccessKey, sessionToken, expiration, region } = credentials;
  show({ accessKeyId, expires: time(expiration), region });

  step(5, 'AWS STS says who these credentials are', 'aws sts get-caller-identity');
  const sts = new STSClient({
    region,
    endpoint: ready.sts,
    credentials: { accessKeyId, secretAccessKey, sessionToken },
  });
  const { Arn, Account } = await sts.send(new GetCallerIdentityCommand({}), { abortSignal: stopping.signal });
  show({ arn: Arn, account: Account });

  step(6, 'The same code as another component, which has no such grant', run('ledger', 'credentials-for', GRANT));
  const { tag, val: denied } = deniedResult.parse(await callComponent('ledger', 'credentials-for', GRANT)).err;
  show({ [tag]: `${denied.code}: ${denied.message}` });

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
  if (!stopping.signal.aborted) throw error;
} finally {
  if (dev !== undefined && dev.exitCode === null && dev.signalCode === null) {
    dev.kill('SIGTERM');
    await once(dev, 'exit');
  }
  await rm(folder, { recursive: true, force: true });
}
// Whoever sent the signal learns that it was the end of this process.
if (stopping.signal.aborted) process.kill(process.pid, stopping.signal.reason);

/** The first line a child prints; an error when it ends without one. */
async function firstLine(child: ChildProcess, signal: AbortSignal): Promise<string> {
  if (child.stdout === null) throw new Error('the child has no stdout');
  for await (const line of createInterface({ input: child.stdout, signal })) return line;
  throw new Error('svidx dev ended before it was ready');
}

function run(component: string, fn: string, argument: string): string {
  return `svidx run api-gateway.wasm --component ${component} --call ${fn} --args '["${argument}"]'`;
}

function time(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

function title(text: string): void {
  print(styleText('bold', text, { stream: process.stdout }));
}

function step(number: number, text: string, command: string): void {
  print('');
  print(styleText(['bold', 'cyan'], `${number}. ${text}`, { stream: process.stdout }));
  print(styleText('dim', `   $ ${command}`, { stream: process.stdout }));
}

function show(fields: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(fields)) {
    print(`   ${styleText('green', name.padEnd(12), { stream: process.stdout })} ${value ?? '-'}`);
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
