import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { SvidxError } from '../base/errors.ts';
import type { Health } from '../base/health.ts';
import type { Logger } from '../base/logger.ts';
import { readSettled, watchValue } from '../base/watched-value.ts';
import { compilePolicies, type PolicyFile, type PolicySet } from '../policy/policy-set.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';
import { readNamedText, systemErrorCode } from './read-file.ts';

/** Far above any real policy; a file beyond it is something else. */
const MAX_FILE_BYTES = 256 * 1024;

/** How often the folder is looked at. Polling works everywhere, mounted Kubernetes ConfigMaps included. */
const POLL_INTERVAL_MS = 2_000;

/**
 * Reads and compiles all `*.yaml` and `*.yml` files of a folder as one policy set.
 * @throws SvidxError `policy_invalid`, naming file, line and key
 */
export async function loadPolicyFolder(folder: string, trustDomain: TrustDomain): Promise<PolicySet> {
  return compilePolicies(await readPolicyFiles(folder), trustDomain);
}

/**
 * Reads the policy files of a folder, in the order of their names, all as they were at one moment.
 * @throws SvidxError `policy_invalid` when the folder or a file cannot be read, or there is none
 */
export async function readPolicyFiles(folder: string): Promise<PolicyFile[]> {
  const settled = await readSettled(
    () => fingerprint(folder),
    () => readOnce(folder),
  );
  if (settled === undefined) throw new SvidxError('policy_invalid', `${folder}: changes faster than it can be read`);
  return settled.value;
}

async function readOnce(folder: string): Promise<PolicyFile[]> {
  const files: PolicyFile[] = [];
  for (const name of await policyFileNames(folder)) {
    const file = join(folder, name);
    await refuseOddFile(file);
    files.push({ file, text: await readNamedText(file, 'policy_invalid') });
  }
  if (files.length === 0)
    throw new SvidxError('policy_invalid', `${folder}: expected at least one policy file, *.yaml`);
  return files;
}

/** Before it is opened: a pipe would keep its reader waiting, a large file would fill the memory. */
async function refuseOddFile(file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isFile()) throw new SvidxError('policy_invalid', `${file}: is not a file`);
  if (found.size > MAX_FILE_BYTES) {
    throw new SvidxError('policy_invalid', `${file}: is larger than ${MAX_FILE_BYTES} bytes`);
  }
}

async function policyFileNames(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    throw new SvidxError('policy_invalid', `${folder}: cannot be read (${systemErrorCode(error)})`, { cause: error });
  });
  return names.filter((name) => /^[^.].*\.ya?ml$/.test(name)).sort();
}

/** The policy set in force, replaced as a whole when the folder changes. */
export interface WatchedPolicies {
  current(): PolicySet;
  /** `degraded` while the folder holds something that does not compile. */
  health(): Health;
  /** Looks at the folder now instead of at the next poll. Never throws: a bad folder leaves the set in force. */
  check(): Promise<void>;
  close(): void;
}

export interface WatchedPoliciesOptions {
  readonly folder: string;
  readonly trustDomain: TrustDomain;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told of each set that comes into force, the first one included. */
  readonly onSet?: (set: PolicySet) => void;
}

/**
 * Loads a policy folder and keeps the set current. A change that does not compile is logged, once, and the last good
 * set stays in force.
 * @throws SvidxError `policy_invalid` when the first load fails
 */
export async function watchPolicies(options: WatchedPoliciesOptions): Promise<WatchedPolicies> {
  const { folder, trustDomain, clock, logger, onSet = () => {} } = options;
  const watched = await watchValue({
    clock,
    intervalMs: POLL_INTERVAL_MS,
    fingerprint: () => fingerprint(folder),
    read: () => loadPolicyFolder(folder, trustDomain),
    onValue: (set) => {
      logger.info({ event: 'policies.changed', components: set.components.length }, 'policies changed');
      onSet(set);
    },
    onTrouble: (error) =>
      logger.error(
        { event: 'policies.reload_failed', error },
        'policies not reloaded, the last good ones stay in force',
      ),
  });

  onSet(watched.current());

  function health(): Health {
    const trouble = watched.trouble();
    const lastGoodAt = watched.lastGoodAt();
    if (trouble === undefined) {
      const { length } = watched.current().components;
      return { state: 'up', reason: `policies for ${length} components are in force`, lastGoodAt };
    }
    const reason = `the last good policies stay in force: ${trouble.message}`;
    return { state: 'degraded', code: trouble.code, reason, lastGoodAt };
  }

  return { current: watched.current, health, check: watched.check, close: watched.close };
}

/** What changes whenever the folder's content does: each file's name, times, size and inode. */
async function fingerprint(folder: string): Promise<string> {
  try {
    const entries = (await policyFileNames(folder)).map(async (name) => {
      const { ctimeNs, mtimeNs, size, ino } = await stat(join(folder, name), { bigint: true });
      return `${name} ${ctimeNs} ${mtimeNs} ${size} ${ino}`;
    });
    return (await Promise.all(entries)).join('\n');
  } catch (error) {
    return `unreadable: ${error instanceof Error ? error.message : ''}`;
  }
}
