import { get } from 'wasmcloud:identity/store@0.0.1';
import { config } from './config.ts';
import { Failure, refused } from './failure.ts';

const INTERFACE = 'wasmcloud:identity/store';

/**
 * A JWT-SVID of this component, for the audience that STS expects.
 * @throws Failure when the host gives none
 */
export function jwtSvid(): string {
  const token = read(config('AUDIENCE'));
  if (token !== undefined) return token;
  throw new Failure(502, INTERFACE, 'not-found', 'the host has no identity for this component');
}

/** What its JWT-SVID says of it. The token itself is a credential and stays inside. */
export function claims(): unknown {
  const [, payload = ''] = jwtSvid().split('.');
  const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

function read(audience: string): string | undefined {
  try {
    return get(audience);
  } catch (thrown) {
    throw refused(INTERFACE, thrown);
  }
}
