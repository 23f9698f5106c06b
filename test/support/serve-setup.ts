import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tempFolder } from './temp.ts';

export const POLICY = `component: api
spiffeId: spiffe://example.org/api
selectors: [wasmcloud:component:api]
audiences: [me]
`;
export const NO_SPIRE = 'unix:///nonexistent/admin.sock';

export interface Setup {
  readonly folder: string;
  readonly config: string;
  readonly socket: string;
}

/** A configuration file with its policies, in a folder of the test's own. */
export async function setup(
  options: { policies?: Record<string, string>; lines?: string; spire?: string } = {},
): Promise<Setup> {
  const folder = await tempFolder();
  const socket = join(folder, 'broker.sock');
  await mkdir(join(folder, 'policies'));
  for (const [name, content] of Object.entries(options.policies ?? { 'api.yaml': POLICY })) {
    await writeFile(join(folder, 'policies', name), content);
  }
  const config = join(folder, 'svidx.yaml');
  await writeFile(
    config,
    `trustDomain: example.org
issuer: https://oidc.example.org
http: { listen: "127.0.0.1:0" }
spire: { adminSocket: "${options.spire ?? NO_SPIRE}" }
broker: { socket: ${socket} }
${options.lines ?? ''}`,
  );
  return { folder, config, socket };
}
