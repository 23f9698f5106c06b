import { createHash } from 'node:crypto';
import { HOST_IMPORTS } from './component/component-handlers.ts';
import { javaScriptName } from './component/names.ts';
import { createBrokerClient } from './http/broker-client.ts';
import { createHostingClient } from './http/hosting-client.ts';
import { socketPath } from './http/socket-client.ts';

/**
 * `svid-exchange/host`: the imports for programs that embed `jco` themselves. Who asks is fixed here, by the program; nothing that
 * its component sends can change it.
 */

export interface HostImportsOptions {
  /** The path of the service's private socket, or `unix:PATH`. Whoever can open it may name any component: keep it from the component. */
  readonly socket: string;
  /** The component's name in the policies. */
  readonly component: string;
  /** The bytes that run, of which the policy may pin the SHA-256. Without them, a policy that pins it denies everything. */
  readonly bytes?: Uint8Array;
}

/** By interface without version, then by function as `jco` names it. Each function waits for the service. */
export type HostImports = Readonly<Record<string, Readonly<Record<string, (...args: unknown[]) => Promise<unknown>>>>>;

/**
 * What to hand to `instantiate` of a component that `jco` transpiled with `asyncMode: 'jspi'` and {@link asyncImports}:
 * `wasmcloud:identity/store`, `svidx:credentials/store` and `wasi:config/store`.
 *
 * A refusal is what the interface says: the component gets the `err` of its WIT result, and the program hears nothing.
 */
export function createHostImports({ socket, component, bytes }: HostImportsOptions): HostImports {
  const digest = bytes && `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const path = socketPath(socket);
  const context = {
    caller: { component, digest },
    broker: createBrokerClient(path),
    hosting: createHostingClient(path),
  };
  const interfaces = HOST_IMPORTS.map(({ name, functions }) => {
    const callable = Object.entries(functions).map(([fn, answer]) => [
      javaScriptName(fn),
      async (...args: unknown[]): Promise<unknown> => {
        const outcome = await answer(context, args);
        if ('ok' in outcome) return outcome.ok;
        // jco hands an own property `payload` on as the `err` of a WIT result.
        throw Object.assign(new Error('the host refused'), { payload: outcome.err });
      },
    ]);
    return [name, Object.fromEntries(callable)];
  });
  return Object.fromEntries(interfaces);
}

/**
 * The functions of {@link createHostImports} that wait, as `jco`'s option `asyncImports` wants them.
 * @param imports what the component imports, with versions: `wasmcloud:identity/store@0.0.1`
 */
export function asyncImports(imports: readonly string[]): string[] {
  return imports.flatMap((full) => {
    const name = full.replace(/@.*$/, '');
    const known = HOST_IMPORTS.find((candidate) => candidate.name === name);
    return known === undefined ? [] : Object.keys(known.functions).map((fn) => `${full}#${fn}`);
  });
}
