import type { TestProject } from 'vitest/node';
import { builtExample } from '../../examples/build-cache.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The paths of the example components. They are built once, and kept for the next run. */
    apiGatewayWasm: string;
    helloHttpWasm: string;
    wasmpayWasm: string;
  }
}

/** Builds what tests run but should not build each for themselves. */
export async function setup(project: TestProject): Promise<void> {
  const [apiGateway, helloHttp, wasmpay] = await Promise.all([
    builtExample('api-gateway'),
    builtExample('hello-http'),
    builtExample('wasmpay'),
  ]);
  project.provide('apiGatewayWasm', apiGateway);
  project.provide('helloHttpWasm', helloHttp);
  project.provide('wasmpayWasm', wasmpay);
}
