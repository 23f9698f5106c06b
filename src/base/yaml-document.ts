import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  visit,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import type { z } from 'zod';
import { type ErrorCode, SvidxError } from './errors.ts';
import { isJsonObject } from './json.ts';

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
  /** Whether the text itself has this key, so that its value is not a default. */
  has(path: readonly string[]): boolean;
}

/** Something wrong with the text from `offset` on. */
interface Problem {
  readonly offset: number;
  readonly text: string;
}

/** Far above any real document; each of these can make a small file expand into something that is not. */
const MAX_ALIASES = 100;
const MAX_DEPTH = 50;

const TOO_MANY_ALIASES: Problem = { offset: 0, text: 'too many YAML aliases' };

/** Whoever mends a file starts at the top; the hundredth problem is often only an echo of the first. */
const MAX_PROBLEMS_SHOWN = 20;

/**
 * Reads one YAML 1.2 document and checks it against a strict schema.
 * @throws SvidxError with the source's code; its message has a line `file:line: key: what was expected` for each problem
 */
export function parseYamlDocument<S extends z.ZodType>(source: YamlSource, schema: S): YamlDocument<z.output<S>> {
  const lines = new LineCounter();
  const at = (offset: number): string => `${source.file}:${lines.linePos(offset).line}`;
  const fail = (problems: readonly Problem[]): SvidxError => {
    const shown = problems.slice(0, MAX_PROBLEMS_SHOWN).map(({ offset, text }) => `${at(offset)}: ${printable(text)}`);
    if (problems.length > shown.length) shown.push(`${source.file}: and more`);
    return new SvidxError(source.errorCode, shown.join('\n'));
  };

  const documents = parseAllDocuments(source.text, {
    lineCounter: lines,
    stringKeys: true,
    // Found below instead: here each key would be compared with each, which takes seconds for a large file.
    uniqueKeys: false,
    prettyErrors: false,
  });
  const [document, another] = Array.isArray(documents) ? documents : [];
  if (document === undefined) throw fail([{ offset: 0, text: 'the file is empty' }]);
  const broken = [...document.errors, ...document.warnings];
  if (broken.length > 0) throw fail(broken.map(describeSyntaxError));
  if (another !== undefined) {
    throw fail([{ offset: another.range[0], text: 'expected one YAML document, not several' }]);
  }
  // The directive of an older version would change what the same text means: "yes" a boolean, "010" eight.
  if (document.directives.yaml.version !== '1.2') {
    throw fail([{ offset: Math.max(source.text.search(/^%YAML/m), 0), text: 'expected YAML 1.2' }]);
  }
  const surprises = findSurprises(document);
  if (surprises.length > 0) throw fail(surprises);

  const plain = toPlainValue(document, () => fail([TOO_MANY_ALIASES]));
  const result = schema.safeParse(plain);
  if (!result.success) {
    const problems = result.error.issues.flatMap(describeIssue).slice(0, MAX_PROBLEMS_SHOWN + 1);
    throw fail(problems.map(({ path, text }) => ({ offset: offsetOf(document, path), text })));
  }
  return {
    value: result.data,
    locate: (path) => at(offsetOf(document, path)),
    has: (path) => hasKey(plain, path),
  };
}

function toPlainValue(document: Document, tooManyAliases: () => Error): unknown {
  try {
    // The library counts the anchored value along with its aliases.
    return document.toJS({ maxAliasCount: MAX_ALIASES + 1 });
  } catch {
    // The only failure left: aliases of what holds aliases itself, which multiply.
    throw tooManyAliases();
  }
}

function hasKey(value: unknown, [key, ...rest]: readonly string[]): boolean {
  if (key === undefined) return true;
  return isJsonObject(value) && Object.hasOwn(value, key) && hasKey(value[key], rest);
}

function describeSyntaxError(error: YAMLError): Problem {
  const text = error.code === 'RESOURCE_EXHAUSTION' ? 'is nested too deeply' : error.message;
  return { offset: error.pos[0], text };
}

/** What YAML allows and a plain value of a document that people review should not depend on. */
function findSurprises(document: Document): Problem[] {
  const problems: Problem[] = [];
  const anchors = new Map<string, Node>();
  let aliases = 0;
  visit(document, (_, node, path) => {
    if (isMap(node)) problems.push(...findKeySurprises(node));
    // Of a map each level is two steps of the path, the map and the pair.
    if (path.length > 2 * MAX_DEPTH) {
      problems.push({ offset: startOf(node), text: 'is nested too deeply' });
      return visit.BREAK;
    }
    if (!isAlias(node)) {
      if (isNode(node) && node.anchor !== undefined) anchors.set(node.anchor, node);
      return undefined;
    }
    aliases += 1;
    if (aliases > MAX_ALIASES) {
      problems.push({ ...TOO_MANY_ALIASES, offset: startOf(node) });
      return visit.BREAK;
    }
    const anchored = anchors.get(node.source);
    if (anchored === undefined) {
      problems.push({ offset: startOf(node), text: `*${node.source}: there is no anchor of this name before it` });
    } else if (path.includes(anchored)) {
      problems.push({ offset: startOf(node), text: `*${node.source}: is a part of what it stands for` });
    }
    return undefined;
  });
  return problems;
}

function findKeySurprises(map: YAMLMap): Problem[] {
  const problems: Problem[] = [];
  const seen = new Set<unknown>();
  for (const { key } of map.items) {
    if (!isScalar(key)) continue;
    const problem = (text: string): Problem => ({
      offset: startOf(key),
      text: `${formatPath([String(key.value)])}: ${text}`,
    });
    // A plain object cannot hold this key as its own without ceremony, and nothing here is called so: schemas never see it.
    if (key.value === '__proto__') problems.push(problem('unknown key'));
    else if (seen.has(key.value)) problems.push(problem('this key is written twice'));
    seen.add(key.value);
  }
  return problems;
}

interface DescribedIssue {
  readonly path: readonly PropertyKey[];
  readonly text: string;
}

function describeIssue(issue: z.core.$ZodIssue): DescribedIssue[] {
  if (issue.code === 'invalid_union') {
    // Where one alternative is of the value's own type, what is wrong is what is wrong by that one.
    const [fitting, another] = issue.errors.filter((issues) => !issues.some(isOfOtherType));
    if (fitting !== undefined && another === undefined) {
      return fitting.flatMap((inner) => describeIssue({ ...inner, path: [...issue.path, ...inner.path] }));
    }
  }
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      return { path, text: `${formatPath(path)}: unknown key` };
    });
  }
  // What is wrong with the key of a record is said by the schema of its keys.
  const messages = (issue.code === 'invalid_key' ? issue.issues : [issue]).map(({ message }) => expectation(message));
  const where = issue.path.length === 0 ? '' : `${formatPath(issue.path)}: `;
  return [{ path: issue.path, text: `${where}${messages.join(', ')}` }];
}

function isOfOtherType({ code, path }: z.core.$ZodIssue): boolean {
  return code === 'invalid_type' && path.length === 0;
}

function expectation(message: string): string {
  const text = message.replace(/^Invalid input: /, '');
  return text.endsWith(', received undefined') ? `is missing: ${text.replace(/, received undefined$/, '')}` : text;
}

/** `grants.bedrock.aws.roleArn`, `audiences[0]`, `grants["two words"]`. */
function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((part) => {
      if (typeof part === 'number') return `[${part}]`;
      const name = String(part);
      return /^[^\s.[\]"\p{C}]+$/u.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
    })
    .join('')
    .replace(/^\./, '');
}

/** One line without control characters, whatever the file holds. */
function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}

function startOf(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0;
}

/** Where the deepest part of `path` that exists begins; for a map entry, its key. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  let node: unknown = document.contents;
  let offset = startOf(node);
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
