import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A file that users copy. */
export const deployPath = (name: string): string => join(import.meta.dirname, '../../../deploy/spire', name);

/**
 * A SPIRE configuration of deploy/spire/ with other values for some of its settings.
 * @throws Error when a setting is not there exactly once, so that the tests cannot drift from the file
 */
export async function fillIn(name: string, settings: Readonly<Record<string, string>>): Promise<string> {
  let text = await readFile(deployPath(name), 'utf8');
  for (const [key, value] of Object.entries(settings)) {
    const setting = new RegExp(`^( *${key} *= *)"[^"]*"$`, 'gm');
    if (text.match(setting)?.length !== 1) throw new Error(`${name}: expected the setting ${key} exactly once`);
    text = text.replace(setting, (_, start: string) => `${start}"${value}"`);
  }
  return text;
}
