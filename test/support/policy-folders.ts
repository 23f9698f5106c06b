import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tempFolder } from './temp.ts';

/** A policy with one audience. */
export function policy(component: string, audience = 'first'): string {
  return `component: ${component}\nspiffeId: spiffe://example.org/${component}\nselectors: [a:b]\naudiences: [${audience}]\n`;
}

/** A folder with these files. */
export async function folderOf(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const folder = join(await tempFolder(), 'policies');
  await mkdir(folder);
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return folder;
}

/** The names of the components of a policy set. */
export function componentsOf({ components }: { components: readonly { component: string }[] }): string[] {
  return components.map(({ component }) => component);
}
