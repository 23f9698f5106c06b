import { styleText } from 'node:util';

/** A line on stdout. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printTitle(text: string): void {
  print(styleText('bold', text, { stream: process.stdout }));
}

/** A step of the demo, with the command that a user would type for it. */
export function printStep(number: number, text: string, command: string): void {
  print('');
  print(styleText(['bold', 'cyan'], `${number}. ${text}`, { stream: process.stdout }));
  print(styleText('dim', `   $ ${command}`, { stream: process.stdout }));
}

/** What a step had for its result. */
export function printFields(fields: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(fields)) {
    print(`   ${styleText('green', name.padEnd(12), { stream: process.stdout })} ${value ?? '-'}`);
  }
}
