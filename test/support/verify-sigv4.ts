import type { Arrived } from './far-side.ts';
import { authorizationOf, type Sigv4Key, sha256 } from './sigv4.ts';

/**
 * What is wrong with the SigV4 signature of a request as it arrived, by AWS's description: every header that it must cover is
 * covered, the stated hash is that of the body, and the signature is the one that the key gives. `undefined` for nothing.
 */
export function sigv4Problem(arrived: Arrived, key: Sigv4Key & { readonly sessionToken: string }): string | undefined {
  const values = new Map<string, string>();
  for (const [name, latin1] of arrived.headers) {
    const value = Buffer.from(latin1, 'latin1').toString('utf8');
    const earlier = values.get(name.toLowerCase());
    values.set(name.toLowerCase(), earlier === undefined ? value : `${earlier},${value}`);
  }
  const authorization = values.get('authorization') ?? '';
  const names = /SignedHeaders=([^,]*),/.exec(authorization)?.[1]?.split(';') ?? [];
  const mustBeCovered = [...values.keys()].filter((name) => name === 'host' || name.startsWith('x-amz-'));
  const uncovered = mustBeCovered.filter((name) => !names.includes(name));
  if (uncovered.length > 0) return `not covered: ${uncovered.join(', ')}`;
  if (values.get('x-amz-security-token') !== key.sessionToken) return 'another session token';
  if (values.get('x-amz-content-sha256') !== sha256(arrived.body)) return 'another body';
  const [path = '', query = ''] = arrived.url.split('?');
  const expected = authorizationOf(
    {
      method: arrived.method,
      path: key.service === 's3' ? uriEncoded(decodeURIComponent(path)) : path,
      query: canonicalQuery(query),
      headers: Object.fromEntries(names.map((name) => [name, values.get(name) ?? ''])),
      body: arrived.body,
    },
    key,
  );
  return authorization === expected ? undefined : `expected ${expected}`;
}

function canonicalQuery(query: string): string {
  return query
    .split('&')
    .filter((text) => text !== '')
    .map((text) => text.split('=').map((part) => encoded(decodeURIComponent(part))))
    .map(([name = '', value = '']) => [name, value] as const)
    .toSorted(([a, x], [b, y]) => (a === b ? compare(x, y) : compare(a, b)))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

function uriEncoded(path: string): string {
  return path.split('/').map(encoded).join('/');
}

function encoded(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => String.fromCharCode(byte))
    .map((char) =>
      /[A-Za-z0-9_.~-]/.test(char) ? char : `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('');
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
