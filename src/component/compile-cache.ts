import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { cachedDataVersionTag } from 'node:v8';
import type { Clock } from '../base/clock.ts';
import { createConcurrencyLimit } from '../base/concurrency-limit.ts';
import { SvidxError } from '../base/errors.ts';
import { createExpiringCache } from '../base/expiring-cache.ts';
import { isJsonObject, parseJson } from '../base/json.ts';
import { type CompiledComponent, compileTranslated } from './compile.ts';
import type { CompileFolder } from './compile-folder.ts';
import { sha256 } from './sha256.ts';
import type { TranslatedComponent, TranslateOptions } from './translate.ts';
import { translateInThread } from './translate-thread.ts';

export interface CompileCacheOptions {
  readonly clock: Clock;
  /** Where translated components outlive this process; without it they do not. */
  readonly folder?: CompileFolder | undefined;
  /** How many compiled components are kept in memory; 50 unless told. Those in use stay with who uses them. */
  readonly maxComponents?: number;
}

/** Compiles each component once, however often it is asked for and under however many names. */
export interface CompileCache {
  /**
   * @param signal ends this caller's wait, not the work that others may wait for
   * @throws SvidxError `component_invalid`, or the signal's reason
   */
  compile(bytes: Uint8Array, options: TranslateOptions, signal?: AbortSignal): Promise<CompiledComponent>;
  /** Ends all work. Whoever waits gets `error`. Resolves when nothing is written any more. */
  close(error: SvidxError): Promise<void>;
}

/** To be counted up with each change of what a translated component is or holds: those before are then not found. */
const FORMAT = 1;

/** The longest that translating may take; the largest guest seen takes about one second on its own. */
const TIMEOUT_MS = 120_000;

/** How many components are translated at the same time: each takes a core, and hundreds of megabytes. */
const MAX_TRANSLATIONS = 2;

export function createCompileCache({ clock, folder, maxComponents = 50 }: CompileCacheOptions): CompileCache {
  const closing = new AbortController();
  const translations = createConcurrencyLimit(MAX_TRANSLATIONS);
  const writing = new Set<Promise<void>>();
  // Compiled components do not age, so nothing is ever refreshed.
  const cache = createExpiringCache<CompiledComponent>({
    clock,
    random: () => 0,
    maxEntries: maxComponents,
    maxRefreshes: 0,
    loadTimeoutMs: TIMEOUT_MS,
    timeoutError: () =>
      new SvidxError('component_invalid', `the component could not be compiled within ${TIMEOUT_MS / 1000} seconds`),
    lifetime: () => ({ freshUntil: Number.POSITIVE_INFINITY, usableUntil: Number.POSITIVE_INFINITY }),
    rememberFailureMs: () => 0,
  });

  async function load(
    key: string,
    digest: string,
    bytes: Uint8Array,
    options: TranslateOptions,
    signal: AbortSignal,
  ): Promise<CompiledComponent> {
    const stored = await folder?.load(key);
    if (stored?.digest === digest) return compileTranslated(stored);
    const translated = await translations.run(() => translateInThread(bytes, options, signal), signal);
    const compiled = await compileTranslated(translated);
    if (folder !== undefined && !signal.aborted) write(folder, key, translated);
    return compiled;
  }

  /** Nobody waits for the disk. */
  function write(to: CompileFolder, key: string, translated: TranslatedComponent): void {
    const stored = to.store(key, translated).finally(() => writing.delete(stored));
    writing.add(stored);
  }

  return {
    async compile(bytes, options, signal) {
      const ended = signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]);
      ended.throwIfAborted();
      // A copy: what the caller does to the bytes from now on changes nothing.
      const own = new Uint8Array(bytes);
      const digest = `sha256:${(await sha256(own)).toString('hex')}`;
      const key = await cacheKey(digest, options);
      return cache.get(
        key,
        (flight) => load(key, digest, own, options, AbortSignal.any([flight, closing.signal])),
        ended,
      );
    },
    async close(error) {
      closing.abort(error);
      await Promise.all(writing);
    },
  };
}

/** Everything that the translation depends on. */
async function cacheKey(digest: string, { memoryBytes }: TranslateOptions): Promise<string> {
  const parts = [FORMAT, digest, memoryBytes, await translatorVersion(), cachedDataVersionTag()];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

async function translatorVersion(): Promise<unknown> {
  const entry = createRequire(import.meta.url).resolve('@bytecodealliance/jco-transpile');
  const description = parseJson(await readFile(join(dirname(entry), '../package.json')));
  if (!isJsonObject(description)) throw new Error('jco-transpile has no package.json');
  return description['version'];
}
