import type { Clock } from '../base/clock.ts';
import { type ErrorCode, SvidxError, toSvidxError } from '../base/errors.ts';
import type { Health } from '../base/health.ts';
import type { Logger } from '../base/logger.ts';
import { type WatchedValue, watchValue } from '../base/watched-value.ts';
import type { Hosting } from '../broker/hosting.ts';
import type { PolicySet } from '../policy/policy-set.ts';
import { componentFileFingerprint, readComponentFile } from './component-file.ts';
import type { ComponentHost, ComponentLimits, LoadedComponent } from './host.ts';
import { checkImports } from './imports/catalogue.ts';
import { OutOfService } from './out-of-service.ts';
import { healthOf, logChange, outOfService, type Running, type ServiceState } from './service-state.ts';
import { sha256 } from './sha256.ts';

export interface HostedComponentOptions {
  /** Its name in the policies. */
  readonly component: string;
  /** The absolute path of its file. */
  readonly file: string;
  readonly limits: ComponentLimits;
  readonly host: Pick<ComponentHost, 'load'>;
  readonly hosting: Hosting;
  /** The policy set in force now, by which `hosting` answers. */
  policies(): PolicySet;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A component that is loaded from a file, and replaced while it serves when the file or its policy changes. */
export interface HostedComponent extends Pick<LoadedComponent, 'serve'> {
  /** Resolves when it is loaded, or it is known why not. Never fails. */
  readonly started: Promise<void>;
  /** Of what answers now; `undefined` where nothing does. */
  digest(): string | undefined;
  /** `degraded` while an older one than that of the file answers, `down` while none does. */
  health(): Health;
  /**
   * Has it answer an HTTP request, by the policy in force now.
   * @throws OutOfService where there is nothing that may answer, or what `LoadedComponent.serve` throws
   */
  serve: LoadedComponent['serve'];
  /** Looks at file and policies now instead of at the next poll. Never throws. */
  check(): Promise<void>;
  /** Looks no more, and answers no more. What is loaded is the host's to end. */
  close(): void;
}

/** How often the file and the policies are looked at. Polling works everywhere, mounted Kubernetes volumes included. */
const POLL_INTERVAL_MS = 2_000;

/** After how long a load is tried again that failed for something else than bytes and policy. Milliseconds. */
const RETRY_MS = 30_000;

/** What fails again as long as bytes and policy are the same. */
const LASTING: ReadonlySet<ErrorCode> = new Set([
  'policy_denied',
  'component_import_denied',
  'component_invalid',
  'component_export_unknown',
]);

const STARTING = outOfService('the component is not loaded yet');
const STOPPED = outOfService('the host is shutting down');

/** What is said of a component that answers no requests. */
export function notHttpHandler(): SvidxError {
  return new SvidxError('component_export_unknown', 'no HTTP handler: expected wasi:http/incoming-handler@0.2');
}

/**
 * Keeps a component in service. A new file is loaded beside what runs, and takes over when it is ready; requests under way
 * finish where they began. What cannot be loaded leaves in service what was, as long as the policy in force allows that.
 */
export function createHostedComponent(options: HostedComponentOptions): HostedComponent {
  const { component, file, limits, host, hosting, policies, clock, logger } = options;
  let watched: WatchedValue<ServiceState> | undefined;
  let looking: Promise<void> | undefined;
  let closed = false;
  let known = { policies: policies(), version: 0 };
  let retryAt = Number.POSITIVE_INFINITY;
  let attempt = 0;

  const state = (): ServiceState => watched?.current() ?? STARTING;

  async function fingerprint(): Promise<string> {
    if (policies() !== known.policies) known = { policies: policies(), version: known.version + 1 };
    if (clock.now() >= retryAt) {
      retryAt = Number.POSITIVE_INFINITY;
      attempt += 1;
    }
    const { version } = known;
    return `${version} ${attempt} ${await componentFileFingerprint(file)}`;
  }

  /** Why the policy in force does not allow it, if it does not. */
  async function denialOf(running: Running): Promise<SvidxError | undefined> {
    const { digest, imports } = running.loaded;
    const asked = policies();
    try {
      checkImports(imports, await hosting.rights({ component, digest }), component);
      running.allowedBy = asked;
      return undefined;
    } catch (thrown) {
      return toSvidxError(thrown);
    }
  }

  /** What is to be in service now. */
  async function next(): Promise<ServiceState> {
    const { running } = state();
    const denial = running && (await denialOf(running));
    const kept = denial === undefined ? running : undefined;
    try {
      const bytes = await readComponentFile(file);
      const digest = `sha256:${(await sha256(bytes)).toString('hex')}`;
      if (digest === running?.loaded.digest) {
        if (denial !== undefined) throw denial;
        return { running, trouble: undefined };
      }
      return { running: await load(bytes, digest), trouble: undefined, denial };
    } catch (thrown) {
      const trouble = toSvidxError(thrown);
      if (!LASTING.has(trouble.code)) retryAt = clock.now() + RETRY_MS;
      return { running: kept, trouble, denial };
    }
  }

  async function load(bytes: Uint8Array<ArrayBuffer>, digest: string): Promise<Running> {
    const allowedBy = policies();
    // The policy first: what it does not allow is not worth the work, and nobody's business.
    await hosting.rights({ component, digest });
    const loaded = await host.load(component, bytes, limits);
    if (!loaded.isHttpHandler) {
      void loaded.retire();
      throw notHttpHandler();
    }
    return { loaded, since: clock.now(), allowedBy };
  }

  function onChange(state: ServiceState, previous: ServiceState): void {
    logChange(logger, component, state, previous);
    const { running: before } = previous;
    if (before === undefined || before === state.running) return;
    // Who waits for what may run no more is served by what follows it, if anything does.
    before.refusal = state.denial;
    void before.loaded.retire(state.denial);
  }

  function check(): Promise<void> {
    looking ??= (watched?.check() ?? Promise.resolve()).finally(() => {
      looking = undefined;
    });
    return looking;
  }

  async function start(): Promise<void> {
    watched = await watchValue({
      clock,
      intervalMs: POLL_INTERVAL_MS,
      fingerprint,
      read: next,
      onValue: onChange,
      onTrouble: (error) =>
        logger.error({ event: 'component.load_failed', component, error }, 'a component is not loaded'),
    });
    if (closed) watched.close();
    else onChange(watched.current(), STARTING);
  }

  return {
    started: start(),
    digest: () => state().running?.loaded.digest,
    health: () => healthOf(state()),
    async serve(job, signal) {
      for (;;) {
        const now = closed ? STOPPED : state();
        if (now.running === undefined) throw new OutOfService(now.denial ?? now.trouble);
        const { running } = now;
        if (running.allowedBy !== policies()) {
          // Perhaps what it allows instead is about to take over.
          if ((await denialOf(running)) !== undefined) await check();
          continue;
        }
        try {
          // Nothing may be waited for before this: it may be retired meanwhile.
          return await running.loaded.serve(job, signal);
        } catch (error) {
          if (running.refusal === undefined || error !== running.refusal) throw error;
        }
      }
    },
    check,
    close() {
      closed = true;
      watched?.close();
    },
  };
}
