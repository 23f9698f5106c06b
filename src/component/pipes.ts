import type { HttpErrorCode } from './egress/error-code.ts';
import type { HeaderList } from './http-messages.ts';

/**
 * Byte streams across the border of a thread, with back-pressure: a writer may send as much as the reader has given credit
 * for. Both sides use the same code; the one that names a pipe first chooses its number.
 */
export type PipeMessage =
  | { readonly type: 'data'; readonly pipe: number; readonly chunk: Uint8Array<ArrayBuffer> }
  /** It is complete. */
  | { readonly type: 'end'; readonly pipe: number; readonly trailers: HeaderList | undefined }
  /** It is not, and never will be. */
  | { readonly type: 'abort'; readonly pipe: number; readonly error: HttpErrorCode }
  /** The reader took so many bytes. */
  | { readonly type: 'credit'; readonly pipe: number; readonly bytes: number }
  /** The reader wants no more. */
  | { readonly type: 'stop'; readonly pipe: number };

/** Sends over the border; `transfer` is moved, not copied. */
export type SendPipeMessage = (message: PipeMessage, transfer?: readonly ArrayBuffer[]) => void;

/** How much may be on its way, or wait at the far side, in one pipe. Bytes. */
export const PIPE_WINDOW = 256 * 1024;

/**
 * What a chunk counts beside its bytes, since each is a message and a buffer: so a window full of single bytes is a thousand
 * of them, not a quarter of a million.
 */
const CHUNK_COST = 256;

export class PipeWriter {
  readonly #pipe: number;
  readonly #send: SendPipeMessage;
  #credit = PIPE_WINDOW;
  #state: 'open' | 'done' | 'stopped' = 'open';
  /** Called when there is more room, or when the reader wants no more. */
  onChange: () => void = () => {};
  /** Called once the reader wants no more. */
  onStop: () => void = () => {};

  constructor(pipe: number, send: SendPipeMessage) {
    this.#pipe = pipe;
    this.#send = send;
  }

  /** How much may be written now: bytes. */
  get room(): number {
    return this.#state === 'open' ? Math.max(this.#credit - CHUNK_COST, 0) : 0;
  }

  /** Does the reader want no more? */
  get stopped(): boolean {
    return this.#state === 'stopped';
  }

  /** @param chunk at most `room` bytes, but what was held back until the pipe was there; belongs to the pipe from now on */
  write(chunk: Uint8Array): void {
    if (this.#state !== 'open' || chunk.length === 0) return;
    this.#credit -= chunk.length + CHUNK_COST;
    const owned = owning(chunk);
    this.#send({ type: 'data', pipe: this.#pipe, chunk: owned }, [owned.buffer]);
  }

  finish(trailers: HeaderList | undefined): void {
    if (this.#state !== 'open') return;
    this.#state = 'done';
    this.#send({ type: 'end', pipe: this.#pipe, trailers });
  }

  abort(error: HttpErrorCode): void {
    if (this.#state !== 'open') return;
    this.#state = 'done';
    this.#send({ type: 'abort', pipe: this.#pipe, error });
  }

  receive(message: PipeMessage): void {
    if (message.type === 'credit') this.#credit += message.bytes;
    if (message.type === 'stop' && this.#state === 'open') {
      this.#state = 'stopped';
      this.onStop();
    }
    this.onChange();
  }
}

export type PipeEnd =
  | { readonly complete: true; readonly trailers: HeaderList | undefined }
  | { readonly complete: false; readonly error: HttpErrorCode };

export class PipeReader {
  readonly #pipe: number;
  readonly #send: SendPipeMessage;
  readonly #chunks: Uint8Array[] = [];
  #owed = 0;
  #end: PipeEnd | undefined;
  #stopped = false;
  /** Called when there is more to read, or when it has ended. */
  onChange: () => void = () => {};

  constructor(pipe: number, send: SendPipeMessage) {
    this.#pipe = pipe;
    this.#send = send;
  }

  /** Is there something to take? */
  get hasData(): boolean {
    return this.#chunks.length > 0;
  }

  /** How it ended, once everything has been taken. */
  get end(): PipeEnd | undefined {
    return this.hasData ? undefined : this.#end;
  }

  /** How it will end, where that is known already. */
  get comingEnd(): PipeEnd | undefined {
    return this.#end;
  }

  /** How many bytes can be taken. */
  get buffered(): number {
    return this.#chunks.reduce((sum, { length }) => sum + length, 0);
  }

  /** The next bytes, at most `max` (1 or more) of them; `undefined` while there are none. */
  take(max: number): Uint8Array | undefined {
    const first = this.#chunks.shift();
    if (first === undefined) return undefined;
    const taken = first.length <= max ? first : first.subarray(0, max);
    if (taken.length < first.length) this.#chunks.unshift(first.subarray(max));
    else this.#owed += CHUNK_COST;
    this.#owed += taken.length;
    // Not for each byte: half of the window keeps the writer busy.
    if (this.#end === undefined && this.#owed >= PIPE_WINDOW / 2) {
      this.#send({ type: 'credit', pipe: this.#pipe, bytes: this.#owed });
      this.#owed = 0;
    }
    return taken;
  }

  /** Wants no more. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#chunks.length = 0;
    if (this.#end !== undefined) return;
    this.#send({ type: 'stop', pipe: this.#pipe });
    // Whoever reads on all the same is not left waiting.
    this.#end = { complete: false, error: { tag: 'connection-terminated' } };
  }

  receive(message: PipeMessage): void {
    if (this.#end !== undefined) return;
    if (message.type === 'data') this.#chunks.push(message.chunk);
    if (message.type === 'end') this.#end = { complete: true, trailers: message.trailers };
    if (message.type === 'abort') this.#end = { complete: false, error: message.error };
    this.onChange();
  }
}

/** The pipes of one side, by number. */
export interface Pipes {
  writer(pipe: number): PipeWriter;
  reader(pipe: number): PipeReader;
  /** Hands a message to the pipe it is for; of a pipe that is gone it is dropped. */
  receive(message: PipeMessage): void;
  /** Ends all of them: nothing is sent or received any more, and readers that are not at their end come to a bad one. */
  close(error: HttpErrorCode): void;
}

export function createPipes(send: SendPipeMessage): Pipes {
  const writers = new Map<number, PipeWriter>();
  const readers = new Map<number, PipeReader>();
  return {
    writer(pipe) {
      const writer = new PipeWriter(pipe, send);
      writers.set(pipe, writer);
      return writer;
    },
    reader(pipe) {
      const reader = new PipeReader(pipe, send);
      readers.set(pipe, reader);
      return reader;
    },
    receive(message) {
      const { pipe, type } = message;
      if (type === 'credit' || type === 'stop') writers.get(pipe)?.receive(message);
      else readers.get(pipe)?.receive(message);
      if (type === 'stop') writers.delete(pipe);
      if (type === 'end' || type === 'abort') readers.delete(pipe);
    },
    close(error) {
      for (const [pipe, writer] of writers) writer.receive({ type: 'stop', pipe });
      for (const [pipe, reader] of readers) reader.receive({ type: 'abort', pipe, error });
      writers.clear();
      readers.clear();
    },
  };
}

/** The bytes in a buffer of their own, which can be moved to the other thread. */
function owning(chunk: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteLength } = chunk;
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength
    ? new Uint8Array(buffer)
    : new Uint8Array(chunk);
}

/** A body that broke off. */
export class BrokenPipe extends Error {
  override readonly name = 'BrokenPipe';
  readonly reason: HttpErrorCode;

  constructor(reason: HttpErrorCode) {
    super(reason.tag);
    this.reason = reason;
  }
}

/** The most that goes through at a time. Bytes. */
const MAX_CHUNK = 64 * 1024;

/**
 * All that comes through a pipe, as it is asked for. To stop early is to want no more.
 * @throws BrokenPipe where it breaks off
 */
export async function* chunksOf(reader: PipeReader): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for (;;) {
      const chunk = reader.take(MAX_CHUNK);
      if (chunk !== undefined) yield chunk;
      else if (reader.end === undefined) await change(reader);
      else if (reader.end.complete) return;
      else throw new BrokenPipe(reader.end.error);
    }
  } finally {
    reader.stop();
  }
}

/**
 * Sends all of a body through a pipe, no faster than it is read at the far side, until that wants no more. Never throws: what
 * goes wrong at the source is told at the far side.
 */
export async function fill(
  writer: PipeWriter,
  body: AsyncIterable<Uint8Array>,
  trailers: () => Promise<HeaderList | undefined>,
  toError: (error: unknown) => HttpErrorCode,
): Promise<void> {
  try {
    for await (const chunk of body) {
      // What is written is the pipe's: where that is all of the chunk, the chunk is empty afterwards.
      for (let at = 0, { length } = chunk; at < length; ) {
        while (writer.room === 0 && !writer.stopped) await change(writer);
        if (writer.stopped) return;
        const end = Math.min(length, at + Math.min(writer.room, MAX_CHUNK));
        writer.write(chunk.subarray(at, end));
        at = end;
      }
    }
    writer.finish(await trailers());
  } catch (error) {
    writer.abort(toError(error));
  }
}

/** Something has happened at this end of a pipe. */
function change(end: { onChange: () => void }): Promise<void> {
  return new Promise((resolve) => {
    end.onChange = resolve;
  });
}
