import { type Credentials, get as getCredentials } from 'svidx:credentials/store@0.1.0';
import { get as getToken, type IdentityError } from 'wasmcloud:identity/store@0.0.1';

/** A host function that refuses throws an error that carries the WIT variant as its payload. */
interface Refused<E> {
  readonly payload: E;
}

export function claims(audience: string): string {
  const token = askForToken(audience);
  const [, payload] = token.split('.');
  return decodeBase64Url(payload ?? '');
}

export function credentialsFor(grant: string): Credentials {
  // What the host refuses goes through unchanged: the error of this function is the error of the import.
  return getCredentials(grant);
}

function askForToken(audience: string): string {
  try {
    const token = getToken(audience);
    if (token !== undefined) return token;
  } catch (thrown) {
    const { payload } = thrown as Refused<IdentityError>;
    throw 'val' in payload ? payload.val : payload.tag;
  }
  throw 'the host has no identity for this component';
}

/** The small JavaScript engine that the component carries has no `atob`. */
function decodeBase64Url(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  let bits = 0;
  let held = 0;
  let percentEncoded = '';
  for (const char of text) {
    held = (held << 6) | alphabet.indexOf(char);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    percentEncoded += `%${((held >> bits) & 0xff).toString(16).padStart(2, '0')}`;
    held &= (1 << bits) - 1;
  }
  return decodeURIComponent(percentEncoded);
}
