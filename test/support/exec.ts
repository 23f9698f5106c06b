import { readdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { type Finished, type Running, type SvidxOptions, startSvidx, svidx } from './svidx.ts';
import { startWorld, type World, type WorldOptions } from './world.ts';

export const FILES_POLICY = `
component: api
spiffeId: spiffe://example.org/team/api
selectors: [wasmcloud:component:api]
audiences: [sts.amazonaws.com, api://AzureADTokenExchange]
grants:
  models:
    aws: { roleArn: arn:aws:iam::111122223333:role/models, region: eu-central-1, duration: 15m }
  blobs:
    azure:
      tenantId: 11111111-2222-3333-4444-555555555555
      clientId: 66666666-7777-8888-9999-000000000000
      scope: https://storage.azure.com/.default
files: [models, blobs]
`;

/** Prints its environment as JSON, which is how the tests see what a program is given. */
export const PRINT_ENV = 'console.log(JSON.stringify(process.env))';

export function words(world: World, script: string, component = 'api', more: readonly string[] = []): string[] {
  const socket = ['--socket', world.config.brokerSocket];
  return ['exec', '--component', component, ...socket, ...more, '--', process.execPath, '-e', script];
}

export const exec = (
  world: World,
  script: string,
  options?: SvidxOptions,
  more?: readonly string[],
): Promise<Finished> => svidx(words(world, script, 'api', more), options);

export function startExec(world: World, script: string): Running {
  const running = startSvidx(words(world, script));
  onTestFinished(async () => void (await running.end()));
  return running;
}

export async function envOf(
  world: World,
  options?: SvidxOptions,
  more?: readonly string[],
): Promise<Record<string, string>> {
  const { code, stdout, stderr } = await exec(world, PRINT_ENV, options, more);
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
}

export const withFiles = (options: WorldOptions = {}): Promise<World> =>
  startWorld({ policies: { 'api.yaml': FILES_POLICY }, ...options });

/** What each session and socket came to, as the audit has it. */
export function lives(world: World): unknown[] {
  return world.log
    .audits()
    .map(({ action }) => action)
    .filter((action) => /^(session|workload_api)\./.test(String(action)));
}

export const socketFolders = async (world: World): Promise<string[]> =>
  (await readdir(dirname(world.config.brokerSocket))).filter((name) => name.startsWith('.svidx-'));
