import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { buildApiGateway } from '../../examples/build.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The path of the example component, built once for the whole run. */
    apiGatewayWasm: string;
  }
}

/** Builds what tests run but should not build each for themselves. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'svidx-test-'));
  const output = join(folder, 'api-gateway.wasm');
  await buildApiGateway(output);
  project.provide('apiGatewayWasm', output);
  return () => rm(folder, { recursive: true, force: true });
}
