import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { LoadedComponent } from '../../src/component/host.ts';
import { PipeReader } from '../../src/component/pipes.ts';
import { createFakeClock } from '../fakes/clock.ts';
import { startFront } from '../support/component-front.ts';

/** Far more than the buffers of the system take of an answer that nobody reads. Bytes. */
const LENGTH = 32 * 1024 * 1024;

/** Has answered, all of it, when it is asked. */
const answering: Pick<LoadedComponent, 'serve'> = {
  async serve({ respond }) {
    const body = new PipeReader(2, () => {});
    body.receive({ type: 'data', pipe: 2, chunk: new Uint8Array(LENGTH) });
    body.receive({ type: 'end', pipe: 2, trailers: undefined });
    respond({ status: 200, headers: [] }, body);
  },
};

async function startWithClient() {
  const clock = createFakeClock();
  const front = await startFront('api', answering, clock);
  const client = connect(Number(new URL(front.url).port), '127.0.0.1');
  onTestFinished(async () => {
    client.destroy();
    const closed = front.close();
    await clock.advance(10_000);
    await closed;
  });
  client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await once(client, 'readable');
  // Of the front: how long the rest may take to be read.
  await clock.waitForTimers(1);
  return { clock, client };
}

/** Reads until the connection ends, or until this many bytes have come. */
async function readAll(client: Socket, enough = Number.POSITIVE_INFINITY): Promise<number> {
  let length = 0;
  for await (const chunk of client) {
    length += chunk.length;
    if (length >= enough) break;
  }
  return length;
}

test('a client that reads late has all of the answer', async () => {
  const { clock, client } = await startWithClient();
  await clock.advance(59_999);
  expect(await readAll(client, LENGTH)).toBeGreaterThanOrEqual(LENGTH);
});

test('a client that never reads loses its connection, long after the component is done', async () => {
  const { clock, client } = await startWithClient();
  client.on('error', () => {});
  await clock.advance(60_000);
  expect(await readAll(client).catch(() => 0)).toBeLessThan(LENGTH);
});
