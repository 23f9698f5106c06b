import { PassThrough, Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { boundedBody } from '../../src/exchange/bounded-body.ts';

describe('a body that must be short', () => {
  test.each([
    ['nothing', []],
    ['one chunk', ['abc']],
    ['several chunks', ['a', 'bc', '', 'd']],
    ['exactly as much as is read', ['01234', '56789']],
  ])('is read whole: %s', async (_, chunks) => {
    const stream = Readable.from(chunks.map((chunk) => Buffer.from(chunk)));
    expect(Buffer.from(await boundedBody(10)(stream)).toString()).toBe(chunks.join(''));
  });

  test.each([[['0123456789a']], [['01234', '56789', 'a']]])(
    'is given up one byte later, and ended: %j',
    async (chunks) => {
      const stream = new PassThrough();
      for (const chunk of chunks) stream.write(chunk);
      await expect(boundedBody(10)(stream)).rejects.toThrow('the answer is longer than 10 bytes');
      expect(stream.destroyed).toBe(true);
    },
  );

  test('fails as its stream fails', async () => {
    const stream = new PassThrough();
    stream.write('abc');
    const reading = boundedBody(10)(stream);
    stream.destroy(new Error('cut'));
    await expect(reading).rejects.toThrow('cut');
  });
});
