import { inspect } from 'node:util';
import { expect } from 'vitest';
import { findLeaks } from './find-leaks.ts';

/** Everything secret that a test has made, and everything that its program has said where no secret may be. */
export interface Canary {
  readonly secrets: ReadonlySet<string>;
  /** Remembers a token, a key or a part of a credential. Returns it. */
  plant(secret: string): string;
  /** @param source what the text is, for the failure's message */
  hear(source: string, text: string | readonly string[]): void;
  hearError(source: string, error: unknown): void;
  /** Fails the test where anything that was heard holds a secret, or where there was nothing to hear or to find. */
  expectSilence(): void;
}

export function createCanary(): Canary {
  const secrets = new Set<string>();
  const heard: { source: string; text: string }[] = [];
  const canary: Canary = {
    secrets,
    plant(secret) {
      if (secret.length < 16) throw new Error('too short to be told from an accident');
      secrets.add(secret);
      return secret;
    },
    hear: (source, text) => void heard.push({ source, text: typeof text === 'string' ? text : text.join('\n') }),
    hearError: (source, error) => void heard.push({ source, text: formsOf(error).join('\n') }),
    expectSilence() {
      expect(secrets.size).toBeGreaterThan(0);
      expect(heard.some(({ text }) => text !== '')).toBe(true);
      expect(heard.flatMap(({ source, text }) => findLeaks(text, secrets).map((leak) => `${source}: ${leak}`))).toEqual(
        [],
      );
    },
  };
  return canary;
}

/** An error in each form in which somebody may write it down, what is not enumerable and its causes included. */
function formsOf(error: unknown): string[] {
  const forms = [String(error), JSON.stringify(error) ?? '', inspect(error, { depth: 8, showHidden: true })];
  if (typeof error !== 'object' || error === null) return forms;
  // The members one by one: `inspect` cuts what is long.
  for (const name of Object.getOwnPropertyNames(error)) forms.push(String(Reflect.get(error, name)));
  const cause: unknown = Reflect.get(error, 'cause');
  return cause === undefined || cause === null ? forms : [...forms, ...formsOf(cause)];
}
