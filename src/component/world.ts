import { asynchronousComponent } from './invalid-component.ts';

/** What a component imports and exports, as far as the host knows what to do with it. */
export interface World {
  /** Every import, by its name in WIT. */
  readonly imports: readonly string[];
  /** The plain functions that are exported. */
  readonly functions: readonly string[];
  /** `wasi:http/incoming-handler@0.2.x`, if exported. */
  readonly httpHandler: string | undefined;
  /** `wasi:cli/run@0.2.x`, if exported. */
  readonly command: string | undefined;
}

/**
 * Where the asynchronous component model shows in WIT: functions, and types that only it can move. As identifiers these
 * words stand behind a `%` or in a longer name.
 */
const ASYNCHRONOUS = /(?<![\w%:/.-])(?:async|stream|future|error-context)(?![\w:/-])/;

/**
 * Reads a component's world from the WIT text that `wasm-tools` prints of it: imports first, then exports, one a line.
 * @throws SvidxError `component_invalid` for what is asynchronous, WASI 0.3 included: the host runs WASI 0.2
 */
export function readWorld(wit: string): World {
  const text = wit.replace(/^ *\/\/.*$/gm, '');
  const imports = names(text, /^ {2}import ([^;{]+?)(?:;|: (?:func|async func|interface)\b)/gm);
  const exports = names(text, /^ {2}export ([^;{\s]+);/gm);
  const later = [...imports, ...exports].find((name) => /^wasi:.*@0\.3\./.test(name));
  if (later !== undefined) throw asynchronousComponent(`it is made for WASI 0.3 (${later})`);
  if (ASYNCHRONOUS.test(text))
    throw asynchronousComponent('it has asynchronous functions, streams, futures or error contexts');
  return {
    imports,
    functions: names(text, /^ {2}export (%?[a-z0-9-]+): func\b/gm),
    httpHandler: exports.find((name) => /^wasi:http\/incoming-handler@0\.2\.\d+$/.test(name)),
    command: exports.find((name) => /^wasi:cli\/run@0\.2\.\d+$/.test(name)),
  };
}

function names(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, name = '']) => name.replaceAll('%', ''));
}
