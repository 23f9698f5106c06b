import { createHash } from 'node:crypto';

const WHO = ['A careful ledger', 'A young token', 'An old gateway', 'A quiet component', 'A curious coin'];
const WHAT = ['set out to carry', 'was asked to look after', 'could not stop thinking of', 'promised to bring home'];
const TURN = [
  'Every door asked for a name, and it had one to show.',
  'Nobody it met had ever seen a secret, and nobody missed one.',
  'Halfway there its papers ran out, and new ones were already waiting.',
  'A stranger offered it a key that never expires. It declined.',
];
const END = [
  'Everything was settled before midnight.',
  'The books balanced.',
  'It was home in time for the next request.',
];

/** A short story about what the prompt names: always the same one for the same prompt. */
export function tellStory(prompt: string): string {
  const digest = createHash('sha256').update(prompt).digest();
  const pick = (texts: readonly string[], at: number): string => texts[(digest[at] ?? 0) % texts.length] ?? '';
  return `${pick(WHO, 0)} ${pick(WHAT, 1)} ${prompt}. ${pick(TURN, 2)} ${pick(END, 3)}`;
}
