import { z } from 'zod';
import { componentName } from '../policy/document.ts';
import { DEFAULT_COMPONENT_LIMITS, parseComponentLimits } from './component-limits.ts';
import { componentRoute, formatRoute } from './component-route.ts';
import { fileText, tlsFiles, toListenAddress } from './fields.ts';

/** Each has threads of its own: what is beyond this is for another machine. */
const MAX_COMPONENTS = 200;

const { timeout, memory, instances } = DEFAULT_COMPONENT_LIMITS;

const folderText = z.string().regex(/^\P{Cc}+$/u, 'expected the path of a folder');

const hostedComponent = z
  .strictObject({
    component: componentName.describe('Its name, as the policies have it. Each once.'),
    file: fileText.describe('The WebAssembly component, relative to this file. Loaded anew when it changes.'),
    route: componentRoute.describe(
      'Which requests it answers: a path, by whole segments, or `{host, path}`. A route with a host goes first, then the longest.',
    ),
    timeout: z.string().default(timeout).describe('How long one request may take: 1s to 1h.'),
    memory: z.string().default(memory).describe('How much memory one instance may have: 1MiB to 4GiB.'),
    instances: z.number().default(instances).describe('How many requests it answers at the same time: 1 to 256.'),
  })
  .transform(({ component, file, route, ...texts }, context) => {
    const limits = parseComponentLimits(texts);
    if (!('problem' in limits)) return { component, file, route, limits };
    context.addIssue({ code: 'custom', path: [limits.key], message: limits.problem });
    return z.NEVER;
  });

/** Says of each component whose name or route an earlier one has. */
function refuseTwice(components: readonly z.output<typeof hostedComponent>[], context: z.core.$RefinementCtx): void {
  const names = new Set<string>();
  const owners = new Map<string, string>();
  for (const [index, { component, route }] of components.entries()) {
    const refuse = (key: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [index, key], message });
    };
    if (names.has(component)) refuse('component', `${component} is there already`);
    names.add(component);
    const text = formatRoute(route);
    const owner = owners.get(text);
    if (owner !== undefined) refuse('route', `${text} is the route of ${owner} already`);
    owners.set(text, owner ?? component);
  }
}

/** The section of the configuration file that `svidx host` is for. */
export const hostDocument = z.strictObject({
  listen: z
    .string()
    .default('127.0.0.1:8000')
    .transform(toListenAddress)
    .describe('Where the components of `svidx host` answer. Port 0 means one that the system picks.'),
  plainHttpBehindProxy: z
    .boolean()
    .default(false)
    .describe('Allows an address beyond loopback there without `tls`: a proxy must terminate TLS.'),
  tls: tlsFiles.optional(),
  cache: folderText
    .optional()
    .describe(
      'A folder that keeps compiled components over a restart, relative to this file: of this user, and closed to others. Made where it does not exist.',
    ),
  components: z
    .array(hostedComponent)
    .min(1, 'expected at least one component')
    .max(MAX_COMPONENTS)
    .superRefine(refuseTwice),
});

export type HostDocument = z.output<typeof hostDocument>;
