import { z } from 'zod';
import { canonicalHost } from '../base/canonical-host.ts';

/** Which requests go to a component. */
export interface ComponentRoute {
  /** In its one spelling, without port; `undefined` for any. */
  readonly host: string | undefined;
  /** What the path begins with, by whole segments, without a slash at the end: `/api`, and empty for every path. */
  readonly prefix: string;
}

/** Segments of what needs no encoding and means the same to everybody: no `%`, no `;`, no `*`, none that is empty. */
const SEGMENTS = /^(?:\/[A-Za-z0-9._~!$&'()+,=:@-]+)*$/;

/** A route as an error, or a log line, names it: `/api/`, `api.example.com/`. */
export function formatRoute({ host, prefix }: ComponentRoute): string {
  return `${host ?? ''}${prefix}/`;
}

/** `/api` and `/api/` are the same: a route is about whole segments. */
function parsePrefix(text: string): string | undefined {
  if (!text.startsWith('/')) return undefined;
  const prefix = text.endsWith('/') ? text.slice(0, -1) : text;
  const dots = prefix.split('/').some((segment) => /^\.+$/.test(segment));
  return SEGMENTS.test(prefix) && !dots ? prefix : undefined;
}

const pathText = z
  .string()
  .max(1024)
  .meta({ pattern: '^/' })
  .transform((text, context) => {
    const prefix = parsePrefix(text);
    if (prefix !== undefined) return prefix;
    context.addIssue({
      code: 'custom',
      message: 'expected a path such as /api/: nothing percent-encoded, no segment empty or of dots, no ";", no "*"',
    });
    return z.NEVER;
  });

const hostText = z
  .string()
  .max(255)
  .transform((text, context) => {
    const host = canonicalHost(text);
    if (host !== undefined) return host;
    context.addIssue({
      code: 'custom',
      message: 'expected the name or the address of a host, without scheme and port',
    });
    return z.NEVER;
  });

/** A route as the configuration has it: a path, or a host with or without one. */
export const componentRoute = z.union(
  [
    pathText.transform((prefix): ComponentRoute => ({ host: undefined, prefix })),
    z
      .strictObject({ host: hostText, path: pathText.default('') })
      .transform(({ host, path }): ComponentRoute => ({ host, prefix: path })),
  ],
  { error: 'expected a path, or { host, path }' },
);
