import { describe, expect, test } from 'vitest';
import type { HeaderList } from '../../src/component/http-messages.ts';
import {
  BrokenPipe,
  chunksOf,
  createPipes,
  fill,
  PIPE_WINDOW,
  type PipeMessage,
  type PipeReader,
  type Pipes,
  type PipeWriter,
} from '../../src/component/pipes.ts';
import { settle } from '../fakes/clock.ts';

interface Connection {
  readonly writer: PipeWriter;
  readonly reader: PipeReader;
  readonly here: Pipes;
  readonly there: Pipes;
  /** All that was sent, in order, as it went: what is transferred is gone at its sender. */
  readonly sent: PipeMessage[];
}

/** One pipe from here to there, over a border that behaves as that of a thread does. */
function connect(): Connection {
  const sent: PipeMessage[] = [];
  const cross =
    (to: () => Pipes) =>
    (message: PipeMessage, transfer: readonly ArrayBuffer[] = []) => {
      const arrived = structuredClone(message, { transfer: [...transfer] });
      sent.push(arrived);
      to().receive(arrived);
    };
  const here: Pipes = createPipes(cross(() => there));
  const there: Pipes = createPipes(cross(() => here));
  return { here, there, writer: here.writer(1), reader: there.reader(1), sent };
}

const noTrailers = async (): Promise<HeaderList | undefined> => undefined;

async function* each(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

async function allOf(reader: PipeReader): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of chunksOf(reader)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('a pipe', () => {
  test('brings bytes, their end and what follows it', () => {
    const { writer, reader } = connect();
    writer.write(Uint8Array.of(1, 2, 3));
    expect([reader.hasData, reader.buffered, reader.end]).toEqual([true, 3, undefined]);
    expect(reader.take(2)).toEqual(Uint8Array.of(1, 2));
    writer.finish([['a', 'b']]);
    expect([reader.end, reader.comingEnd?.complete]).toEqual([undefined, true]);
    expect(reader.take(10)).toEqual(Uint8Array.of(3));
    expect([reader.take(10), reader.end]).toEqual([undefined, { complete: true, trailers: [['a', 'b']] }]);
  });

  test('takes a window full and no more, until it is read', () => {
    const { writer, reader } = connect();
    let written = 0;
    for (; writer.room > 0; written += 1_000) writer.write(new Uint8Array(Math.min(writer.room, 1_000)));
    expect(written).toBeGreaterThan(PIPE_WINDOW / 2);
    expect(reader.buffered).toBeLessThanOrEqual(PIPE_WINDOW);
    expect(writer.room).toBe(0);
    while (reader.take(65_536) !== undefined);
    expect(writer.room).toBeGreaterThan(PIPE_WINDOW / 2);
  });

  test('takes a thousand crumbs and no more, since each is a message', () => {
    const { writer, reader, sent } = connect();
    while (writer.room > 0) writer.write(Uint8Array.of(1));
    expect(reader.buffered).toBeLessThanOrEqual(1_024);
    expect(sent.length).toBe(reader.buffered);
  });

  test.each([1, 255, 4_096, 65_536, 262_144])('never comes to a halt, in chunks of up to %d bytes', (size) => {
    const { writer, reader } = connect();
    let taken = 0;
    for (let left = size * 5_000; left > 0 && taken < 3_000_000; ) {
      while (writer.room > 0 && left > 0) {
        const length = Math.min(writer.room, size, left);
        writer.write(new Uint8Array(length));
        left -= length;
      }
      const before = taken;
      for (let chunk = reader.take(777); chunk !== undefined; chunk = reader.take(777)) taken += chunk.length;
      expect(taken).toBeGreaterThan(before);
    }
  });

  test('that is not wanted any more takes nothing, says so once, and leaves no reader waiting', () => {
    const { writer, reader, sent } = connect();
    writer.write(Uint8Array.of(1));
    reader.stop();
    reader.stop();
    expect([writer.stopped, writer.room]).toEqual([true, 0]);
    writer.write(Uint8Array.of(2));
    writer.finish(undefined);
    writer.abort({ tag: 'internal-error', val: undefined });
    expect(sent.map(({ type }) => type)).toEqual(['data', 'stop']);
    expect([reader.hasData, reader.take(1), reader.end?.complete]).toEqual([false, undefined, false]);
  });

  test('that broke off says how, after what had come', () => {
    const { writer, reader } = connect();
    writer.write(Uint8Array.of(1));
    writer.abort({ tag: 'connection-terminated' });
    writer.write(Uint8Array.of(2));
    writer.finish(undefined);
    expect([reader.end, reader.take(9)]).toEqual([undefined, Uint8Array.of(1)]);
    expect(reader.end).toEqual({ complete: false, error: { tag: 'connection-terminated' } });
  });

  test('does not take the bytes of others with it', () => {
    const { writer, reader } = connect();
    const whole = Uint8Array.of(1, 2, 3, 4);
    writer.write(whole.subarray(1, 3));
    expect(whole).toEqual(Uint8Array.of(1, 2, 3, 4));
    expect(reader.take(9)).toEqual(Uint8Array.of(2, 3));
    writer.write(whole);
    expect([whole.length, reader.take(9)]).toEqual([0, Uint8Array.of(1, 2, 3, 4)]);
  });

  test('that is closed at one side ends there, and what still comes reaches nobody', () => {
    const { there, writer, reader, sent } = connect();
    writer.write(Uint8Array.of(1));
    there.close({ tag: 'HTTP-response-incomplete' });
    writer.write(Uint8Array.of(2));
    there.receive({ type: 'data', pipe: 99, chunk: Uint8Array.of(3) });
    expect(reader.take(9)).toEqual(Uint8Array.of(1));
    expect(reader.end).toEqual({ complete: false, error: { tag: 'HTTP-response-incomplete' } });
    expect(sent.map(({ type }) => type)).toEqual(['data', 'data']);
  });
});

describe('filling it from a body', () => {
  test('brings all of it, however large its chunks are, and what follows', async () => {
    const { writer, reader } = connect();
    const body = each(new Uint8Array(1_000_000).fill(1), new Uint8Array(), new Uint8Array(3).fill(2));
    const filled = fill(
      writer,
      body,
      async () => [['a', 'b']],
      () => ({ tag: 'connection-terminated' }),
    );
    const all = await allOf(reader);
    await filled;
    expect([all.length, all.at(999_999), all.at(-1)]).toEqual([1_000_003, 1, 2]);
    expect(reader.end).toEqual({ complete: true, trailers: [['a', 'b']] });
  });

  test('reads the body no faster than the pipe is read', async () => {
    const { writer, reader } = connect();
    let made = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        made += 10_000;
        yield new Uint8Array(10_000);
      }
    }
    const filled = fill(writer, endless(), noTrailers, () => ({ tag: 'connection-terminated' }));
    await settle();
    expect(made).toBeGreaterThan(200_000);
    expect(made).toBeLessThanOrEqual(PIPE_WINDOW + 10_000);
    // Who wants no more is what ends it.
    reader.stop();
    await filled;
  });

  test('that fails tells the far side, and so do trailers that fail', async () => {
    for (const trailers of [noTrailers, () => Promise.reject(new Error('SECRET-1'))]) {
      const { writer, reader } = connect();
      async function* failing(): AsyncGenerator<Uint8Array> {
        yield Uint8Array.of(1);
        if (trailers === noTrailers) throw new Error('SECRET-1');
      }
      await fill(writer, failing(), trailers, () => ({ tag: 'connection-terminated' }));
      const error = await allOf(reader).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(BrokenPipe);
      expect(error).toMatchObject({ reason: { tag: 'connection-terminated' }, message: 'connection-terminated' });
    }
  });
});

describe('reading it', () => {
  test('waits for what is to come, and stops the far side where it is left early', async () => {
    const { writer, reader } = connect();
    const reading = (async () => {
      for await (const chunk of chunksOf(reader)) return chunk;
      return undefined;
    })();
    await settle();
    writer.write(Uint8Array.of(5));
    expect(await reading).toEqual(Uint8Array.of(5));
    expect(writer.stopped).toBe(true);
  });
});
