import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { LOG_LEVELS } from '../base/logger.ts';
import { scrub } from '../base/secret.ts';
import { DEFAULT_COMPONENT_LIMITS } from '../config/component-limits.ts';
import { DEFAULT_BROKER_SOCKET } from '../config/document.ts';
import { CREDENTIAL_FORMATS } from '../credentials/formats.ts';
import { SESSION_FORMATS } from '../credentials/session-formats.ts';
import { JWT_KEY_TYPE_NAMES } from '../dev/key-types.ts';
import type { Terminal } from './terminal.ts';

/** The command line. Each subcommand's code is loaded when it is called. */
export function createProgram(terminal: Terminal): Command {
  const program = new Command('svidx')
    .description(
      'Workload identity for WebAssembly components: JWT-SVIDs, an OIDC issuer, short-lived cloud credentials.',
    )
    .version(packageVersion())
    // Commander quotes the word it stumbles over, which may be a token that was pasted in the wrong place.
    .configureOutput({ outputError: (text, write) => write(`${scrub(text.trimEnd())}\n`) })
    .exitOverride();

  addCommand(program, 'serve', 'run the service against a SPIRE agent', [
    'svidx serve -c svidx.yaml',
    'svidx serve -c svidx.yaml --check',
  ])
    .requiredOption('-c, --config <file>', 'the configuration file')
    .option('--check', 'validate configuration and policies, then exit')
    .option('--json', 'print one JSON line when the service answers')
    .action(async (options) => (await import('./serve.ts')).serve(terminal, options));

  addCommand(program, 'host', 'run the service and WebAssembly components in one process', [
    'svidx host -c svidx.yaml',
    'svidx host -c svidx.yaml --check',
  ])
    .requiredOption('-c, --config <file>', 'the configuration file, with the section "host"')
    .option('--check', 'validate configuration, policies and components, then exit')
    .option('--json', 'print one JSON line when the service answers and each component was tried')
    .action(async (options) => (await import('./host.ts')).host(terminal, options));

  const issuer = program.command('issuer').description('the issuer as files');
  addCommand(
    issuer,
    'export',
    'write the discovery document and the key set as static files, for an object store or a CDN',
    ['svidx issuer export -c svidx.yaml --out public', 'svidx issuer export -c svidx.yaml --out public --watch'],
  )
    .requiredOption('-c, --config <file>', 'the configuration file')
    .requiredOption('--out <folder>', 'where the files go, at the paths that their URLs have')
    .option('--watch', 'keep them current until SIGTERM or SIGINT')
    .option('--timeout <duration>', 'how long the first key may take to arrive', '30s')
    .action(async (options) => (await import('./issuer-export.ts')).issuerExport(terminal, options));

  addCommand(
    program,
    'dev',
    'run the service with an embedded trust domain, a local AWS STS and a local model (DEVELOPMENT ONLY)',
    ['svidx dev', 'svidx dev --policies ./policies --key-type rsa-2048'],
  )
    .option(
      '--listen <address>',
      'where the issuer listens: loopback only; port 0 is one that the system picks',
      '127.0.0.1:0',
    )
    .option('--policies <folder>', 'the policies (default: the samples)')
    .option('--entries <file>', "registration entries (default: those of the policies' components)")
    .option('--trust-domain <name>', 'the name of the trust domain', 'wasmcloud.dev')
    .addOption(
      new Option('--key-type <type>', 'what tokens are signed with').choices(JWT_KEY_TYPE_NAMES).default('ec-p256'),
    )
    .option('--key-ttl <duration>', 'how long a signing key lives', '24h')
    .option('--socket <path>', 'the private socket (default: in a temporary folder)')
    .option('--sts-listen <address>', 'where the local AWS STS listens: loopback only', '127.0.0.1:0')
    .option('--model-listen <address>', 'where the local model endpoint listens: loopback only', '127.0.0.1:0')
    .addOption(new Option('--log-level <level>', 'how much is logged').choices(LOG_LEVELS).default('warn'))
    .option('--json', 'print one JSON line when everything answers')
    .action(async (options) => (await import('./dev.ts')).dev(terminal, options));

  addCommand(program, 'run', 'run a WebAssembly component, with the identity and the rights that its policy gives it', [
    'svidx run gateway.wasm --component api-gateway --listen 127.0.0.1:8000',
    'svidx run report.wasm --component reporter -- --month 2026-11',
    'svidx run api-gateway.wasm --component api-gateway --call claims --args \'["sts.amazonaws.com"]\'',
  ])
    .argument('<component.wasm>', 'an HTTP handler (wasi:http), a command (wasi:cli), or functions')
    .argument('[arguments...]', 'the arguments of a command, after "--"')
    .requiredOption('--component <id>', 'the name it runs under')
    .option('--call <function>', 'an exported function to call (default: "run", where there is nothing else to run)')
    .option('--args <json>', 'its arguments, as a JSON array', '[]')
    .option(
      '--listen <address>',
      'where an HTTP handler listens; port 0 is one that the system picks',
      '127.0.0.1:8000',
    )
    .option('--timeout <duration>', 'how long one call may take', DEFAULT_COMPONENT_LIMITS.timeout)
    .option('--memory <size>', 'how much memory one instance may have', DEFAULT_COMPONENT_LIMITS.memory)
    .option('--instances <count>', 'how many calls may run at the same time', `${DEFAULT_COMPONENT_LIMITS.instances}`)
    .addOption(socketOption(terminal))
    .option('--json', 'print {"ok": ...} or {"err": ...}; of an HTTP handler one line when it answers')
    .action(async (file, words, options) => (await import('./run.ts')).run(terminal, file, words, options));

  addCommand(program, 'token', 'print a JWT-SVID of a component', [
    'svidx token --component api-gateway --audience sts.amazonaws.com',
  ])
    .requiredOption('--component <id>', 'whose identity')
    .requiredOption('--audience <audience>', 'whom it is for; may be given several times', collect)
    .addOption(socketOption(terminal))
    .option('--json', 'print an object with spiffeId, audience, expiresAt and token')
    .action(async (options) => (await import('./token.ts')).token(terminal, options));

  addCommand(program, 'credentials', 'print the credentials that a component is granted', [
    'svidx credentials bedrock --component api-gateway --format env',
    'credential_process = svidx credentials bedrock --component api-gateway --format process',
  ])
    .argument('<grant>', 'the name of the grant')
    .requiredOption('--component <id>', 'whose credentials')
    .addOption(
      new Option('--format <format>', 'json, env (for a shell) or process (for an AWS profile)')
        .choices(CREDENTIAL_FORMATS)
        .default('json'),
    )
    .addOption(socketOption(terminal))
    .action(async (grant, options) => (await import('./credentials.ts')).credentials(terminal, grant, options));

  addCommand(program, 'exec', 'run a program with the identity and the credentials of a component', [
    'svidx exec --component api-gateway -- aws sts get-caller-identity',
    'svidx exec --component api-gateway --grant bedrock -- node server.js',
  ])
    .argument('<command...>', 'the program and its arguments, after "--"')
    .requiredOption('--component <id>', 'whose identity')
    .option('--grant <name>', 'which of its grants (default: all of them)')
    .addOption(socketOption(terminal))
    .action(async (words, options) => (await import('./exec.ts')).exec(terminal, words, options));

  const session = program.command('session').description('what programs need to ask through their SDKs');
  addCommand(session, 'open', 'open a session for a component and print what its SDKs need', [
    'eval "$(svidx session open --component api-gateway --grant bedrock --format env)"',
    'svidx session open --component api-gateway --grant reports --format google > google.json',
  ])
    .requiredOption('--component <id>', 'whose credentials')
    .option('--grant <name>', 'for this grant alone (default: for all of its grants)')
    .option('--ttl <duration>', 'how long it lives without being used: 1m to 1h', '15m')
    .addOption(
      new Option('--format <format>', 'json, env (AWS and Azure SDKs, for a shell) or google (a credential file)')
        .choices(SESSION_FORMATS)
        .default('json'),
    )
    .addOption(socketOption(terminal))
    .action(async (options) => (await import('./session.ts')).sessionOpen(terminal, options));
  addCommand(session, 'revoke', 'end a session at once', ['svidx session revoke qxArvdxcS8_itrF-LHgvmQ'])
    .argument('<id>', 'the ID of the session, not its secret')
    .addOption(socketOption(terminal))
    .action(async (id, options) => (await import('./session.ts')).sessionRevoke(id, options));

  addCommand(program, 'verify', 'verify a JWT-SVID', [
    'svidx token --component api-gateway --audience me | svidx verify --audience me --bundles bundles.json',
  ])
    .argument('[token]', 'the token; "-" or nothing reads it from stdin', '-')
    .requiredOption('--audience <audience>', 'who verifies; may be given several times', collect)
    .requiredOption('--bundles <file>', 'a JSON object from trust domain name to JWK Set, or a SPIFFE Bundle Map')
    .action(async (text, options) => (await import('./verify.ts')).verify(terminal, text, options));

  addCommand(program, 'doctor', 'look at everything between here and the clouds, and say what to do', [
    'svidx doctor -c svidx.yaml',
    'svidx doctor -c svidx.yaml --component api-gateway --grant bedrock',
  ])
    .requiredOption('-c, --config <file>', 'the configuration file')
    .option('--component <id>', 'ask for this component alone, and exchange its grant')
    .option('--grant <name>', 'which of its grants (default: the only one)')
    .option('--json', 'print {"ok": ..., "checks": [...]}')
    .action(async (options) => (await import('./doctor.ts')).doctor(terminal, options));

  return program;
}

function addCommand(program: Command, name: string, description: string, examples: readonly string[]): Command {
  const lines = examples.map((example) => `  $ ${example}`);
  return program
    .command(name)
    .description(description)
    .addHelpText('after', `\n${examples.length === 1 ? 'Example' : 'Examples'}:\n${lines.join('\n')}`);
}

/** A variable that is set to nothing counts as not set. */
function socketOption({ env }: Terminal): Option {
  return new Option('--socket <path>', "the service's private socket (env: SVIDX_SOCKET)").default(
    env['SVIDX_SOCKET'] || DEFAULT_BROKER_SOCKET,
    DEFAULT_BROKER_SOCKET,
  );
}

function collect(value: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

function packageVersion(): string {
  const manifest: { version: string } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  );
  return manifest.version;
}
