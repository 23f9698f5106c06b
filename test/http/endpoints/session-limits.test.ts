import { createServer } from 'node:http';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { toSvidxError } from '../../../src/base/errors.ts';
import { createSessionLimits } from '../../../src/http/endpoints/session-limits.ts';
import { sendError, sendJson } from '../../../src/http/errors.ts';
import { createFakeClock } from '../../fakes/clock.ts';
import { createArrivals } from '../../support/arrivals.ts';
import { ask } from '../../support/http.ts';

/** A server that counts its requests as those of the session in the path, and answers when a test says so. */
async function startServer(maxUnderWay: number) {
  const limit = createSessionLimits({ clock: createFakeClock(), requestsPerSecond: 100, maxUnderWay, maxSessions: 10 });
  const held = createArrivals<{ answer(): void; closed: Promise<void> }>();
  const server = createServer((request, response) => {
    try {
      limit(request.url ?? '', response);
      held.push({
        answer: () => sendJson(response, 200, {}),
        closed: new Promise((resolve) => response.once('close', resolve)),
      });
    } catch (error) {
      sendError(response, toSvidxError(error));
    }
  });
  onTestFinished(() => server.closeAllConnections());
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { held, port, url: `http://127.0.0.1:${port}` };
}

test('so many requests of a session may be under way, and one that has its answer makes room', async () => {
  const { held, url } = await startServer(2);
  const first = [ask(url, { path: '/a' }), ask(url, { path: '/a' })];
  const [one, two] = [await held.next(), await held.next()];
  expect(await ask(url, { path: '/a' })).toMatchObject({ status: 429, headers: { 'retry-after': '1' } });
  const other = ask(url, { path: '/b' });
  (await held.next()).answer();
  expect((await other).status).toBe(200);

  one.answer();
  await one.closed;
  const next = ask(url, { path: '/a' });
  (await held.next()).answer();
  two.answer();
  expect((await Promise.all([...first, next])).map(({ status }) => status)).toEqual([200, 200, 200]);
});

test('one whose caller went away makes room as well', async () => {
  const { held, url, port } = await startServer(1);
  const socket = connect(port, '127.0.0.1');
  socket.write('GET /a HTTP/1.1\r\nHost: x\r\n\r\n');
  const { closed } = await held.next();
  expect((await ask(url, { path: '/a' })).status).toBe(429);
  socket.destroy();
  await closed;
  const again = ask(url, { path: '/a' });
  (await held.next()).answer();
  expect((await again).status).toBe(200);
});
