import {
  type Document,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  visit,
  type YAMLError,
} from 'yaml';
import type { z } from 'zod';
import { type ErrorCode, SvidxError } from './errors.ts';

export interface YamlSource {
  /** The file's name, as errors show it. */
  readonly file: string;
  readonly text: string;
  /** The code of the error that anything wrong in it becomes. */
  readonly errorCode: ErrorCode;
}

/** A value read from a YAML document, and where in the file its parts stand. */
export interface YamlDocument<T> {
  readonly value: T;
  /** `file:line` of the value at this path, or of the nearest part around it that is there. */
  locate(path: readonly PropertyKey[]): string;
}

/**
 * Reads one YAML 1.2 document and checks it against a strict schema.
 * @throws SvidxError with the source's code; its message has a line `file:line: key: what was expected` for each problem
 */
export function parseYamlDocument<S extends z.ZodType>(source: YamlSource, schema: S): YamlDocument<z.output<S>> {
  const lines = new LineCounter();
  const fail = (problems: readonly string[]): SvidxError => new SvidxError(source.errorCode, problems.join('\n'));

  const at = (offset: number): string => `${source.file}:${lines.linePos(offset).line}`;

  const documents = parseAllDocuments(source.text, { lineCounter: lines, stringKeys: true, prettyErrors: false });
  const [document, another] = Array.isArray(documents) ? documents : [];
  if (document === undefined) throw fail([`${source.file}:1: the file is empty`]);
  const broken = [...document.errors, ...document.warnings];
  if (broken.length > 0) {
    throw fail(broken.map((error) => `${at(error.pos[0])}: ${describeSyntaxError(error, source.text)}`));
  }
  if (another !== undefined) throw fail([`${source.file}: expected one YAML document, not several`]);

  const locate = (path: readonly PropertyKey[]): string => at(offsetOf(document, path));

  // A plain object cannot hold this key as its own without ceremony, and nothing here is called so: schemas never see it.
  const protoKey = findKey(document, '__proto__');
  if (protoKey !== undefined) throw fail([`${at(protoKey)}: __proto__: unknown key`]);

  const result = schema.safeParse(toPlainValue(document, () => fail([`${source.file}:1: too many YAML aliases`])));
  if (!result.success) {
    throw fail(result.error.issues.flatMap((issue) => describeIssue(issue, locate)));
  }
  return { value: result.data, locate };
}

function toPlainValue(document: Document, tooManyAliases: () => Error): unknown {
  try {
    return document.toJS();
  } catch {
    // The only failure left after parsing without errors: aliases that expand without bound.
    throw tooManyAliases();
  }
}

function describeSyntaxError(error: YAMLError, text: string): string {
  if (error.code !== 'DUPLICATE_KEY') return error.message;
  const key = /^[^\s:,}]+/.exec(text.slice(error.pos[0]))?.[0] ?? 'a key';
  return `${key}: this key is written twice`;
}

/** The offset of the first map key of this name, at any depth. */
function findKey(document: Document, name: string): number | undefined {
  let offset: number | undefined;
  visit(document, {
    Pair(_, { key }) {
      if (!isScalar(key) || key.value !== name) return undefined;
      offset = key.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return offset;
}

function describeIssue(issue: z.core.$ZodIssue, locate: (path: readonly PropertyKey[]) => string): string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      return `${locate(path)}: ${formatPath(path)}: unknown key`;
    });
  }
  const text = issue.message.replace(/^Invalid input: /, '');
  const message = text.endsWith(', received undefined')
    ? `is missing: ${text.replace(/, received undefined$/, '')}`
    : text;
  const where = issue.path.length === 0 ? '' : `${formatPath(issue.path)}: `;
  return [`${locate(issue.path)}: ${where}${message}`];
}

/** `grants.bedrock.aws.roleArn`, `audiences[0]`. */
function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
}

/** Where the deepest part of `path` that exists begins; for a map entry, its key. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  let node: unknown = document.contents;
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === part);
      if (pair === undefined) break;
      if (isNode(pair.key)) offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
      continue;
    }
    node = isSeq(node) && typeof part === 'number' ? node.items[part] : undefined;
    if (!isNode(node)) break;
    offset = node.range?.[0] ?? offset;
  }
  return offset;
}
