import { inspect } from 'node:util';

const REDACTED = '[redacted]';

/**
 * A token, key or credential on its way through the program. It prints as `[redacted]` wherever a value gets printed
 * by accident: string interpolation, `JSON.stringify`, a logger, `util.inspect`. Only `reveal()` gives the text, so
 * every place where a secret leaves can be found by searching for that name.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The text itself, for the one place that must send or hand it out. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}

/**
 * Anything that looks like a token in compact form, or like one of its parts, or like the beginning of either: a JSON
 * object, which in base64url begins with `eyJ`, and what hangs on to it by dots. And the secret of a session: 128 and 256 bits.
 */
const TOKEN =
  /eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)*|(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])/g;

/** What a piece of a token or key may look like, from a length on at which it is worth something. */
const PIECE = /[A-Za-z0-9_-]{16,}/g;

/**
 * Text from outside made fit for a log line: each of `secrets`, pieces of them and whatever looks like a token replaced, control
 * characters replaced by spaces, cut at `maxLength` characters. For what upstreams and libraries say about our
 * requests, which may echo the token back to us.
 */
export function scrub(text: string, secrets: readonly Secret[] = [], maxLength = 300): string {
  let clean = text.replace(TOKEN, REDACTED);
  for (const secret of secrets) {
    const value = secret.reveal();
    // Of a token each of the three parts is worth hiding: the claims name people and places, the signature is the proof.
    const parts = value.split('.').filter((part) => part.length >= 8);
    for (const part of [value, ...parts]) {
      if (part !== '') clean = clean.replaceAll(part, REDACTED);
    }
    clean = clean.replace(PIECE, (piece) => (value.includes(piece) ? REDACTED : piece));
  }
  clean = clean.replace(/\p{Cc}+/gu, ' ');
  return clean.length > maxLength ? `${clean.slice(0, maxLength)}...` : clean;
}
