import { type Secret, scrub } from '../base/secret.ts';
import type { OutputSink } from './host-side.ts';
import type { OutputName } from './messages.ts';

/** The longest line that is logged, in characters; and how much of an unfinished one is kept. */
const MAX_LINE = 4_000;

/**
 * Joins what a component writes into lines, and has each logged once it is whole. What is left without a line end counts as a
 * line when nothing more comes.
 * @param log what becomes of a line: without its end, without control characters, and nothing in it that looks like a token
 * @param given the secrets that the component was given, as far as they are known: they are not logged either
 */
export function createOutputLines(
  log: (stream: OutputName, line: string) => void,
  given: () => readonly Secret[],
): OutputSink {
  const unfinished = new Map<OutputName, string>();
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };

  function say(stream: OutputName, line: string): void {
    if (line !== '') log(stream, scrub(line, given(), MAX_LINE));
  }

  return {
    write(stream, bytes) {
      const text = (unfinished.get(stream) ?? '') + decoders[stream].decode(bytes, { stream: true });
      const lines = text.split(/\r?\n/);
      const last = lines.pop() ?? '';
      for (const line of lines) say(stream, line);
      if (last.length <= MAX_LINE) unfinished.set(stream, last);
      else {
        say(stream, last);
        unfinished.delete(stream);
      }
    },
    end() {
      for (const [stream, line] of unfinished) say(stream, line);
      unfinished.clear();
    },
  };
}
