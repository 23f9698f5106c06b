import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { isJsonObject } from '../../src/base/json.ts';
import { startWorld } from '../support/world.ts';

/** What the README tells hosts that are not ours: its policy, and its requests with their answers. */
const [, SECTION = ''] = readFileSync('README.md', 'utf8').split('## For hosts that are not ours\n');
const [TEXT = ''] = SECTION.split('\n## ', 1);

const unindented = (text: string): string => text.replace(/^ {4}/gm, '');
const POLICY = unindented(/^ {4}component:.*\n(?: {4}.*\n)+/m.exec(TEXT)?.[0] ?? '');

interface Exchange {
  readonly path: string;
  readonly bytes: string;
  readonly status: number;
  readonly answer: unknown;
}

const EXCHANGES: Exchange[] = [
  ...TEXT.matchAll(/^ {4}POST (\S+) HTTP\/1\.1\n((?: {4}.+\n)+)\n {4}(\{.*\})\n\n {4}(\d{3}) (\{(?:.|\n {5,})*\})\n/gm),
].map(([, path = '', head = '', body = '', status = '', answer = '']) => ({
  path,
  bytes: `POST ${path} HTTP/1.1\n${unindented(head)}\n`.replaceAll('\n', '\r\n') + body,
  status: Number(status),
  answer: JSON.parse(answer),
}));

/** Sends bytes and reads one answer, as any HTTP client would, on a connection that stays open. */
function send(socketPath: string, bytes: string): Promise<{ status: number; body: unknown }> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    let text = '';
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`broken off: ${text}`)));
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
      const [head = '', ...rest] = text.split('\r\n\r\n');
      const body = rest.join('\r\n\r\n');
      if (body === '' || body.length < Number(/^content-length: (\d+)$/im.exec(head)?.[1])) return;
      resolve({ status: Number(head.split(' ', 2)[1]), body: JSON.parse(body) });
      socket.destroy();
    });
    socket.write(bytes);
  });
}

/** What an example stands for: every value of it, but for what differs each time, of which only the kind is the same. */
function pattern(example: unknown): unknown {
  if (typeof example === 'string') {
    if (example.endsWith('...')) return expect.stringMatching(new RegExp(`^${example.slice(0, -3)}.{10,}$`));
    return /^\d{4}-.*Z$/.test(example) ? expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) : example;
  }
  if (Array.isArray(example)) return example.map(pattern);
  return isJsonObject(example)
    ? Object.fromEntries(Object.entries(example).map(([key, value]) => [key, pattern(value)]))
    : example;
}

describe('the requests of the README for hosts that are not ours', () => {
  test('are there: each call of the private socket that a host needs, and a refusal', () => {
    expect(POLICY).toMatch(/^component: wasmpay\n/);
    expect(EXCHANGES.map(({ path, status }) => [path, status])).toEqual([
      ['/v1/component', 200],
      ['/v1/token', 200],
      ['/v1/credentials', 200],
      ['/v1/injected', 200],
      ['/v1/credentials', 403],
    ]);
  });

  test.each(EXCHANGES)('$path is answered with $status as it says, byte for byte as it is sent', async (documented) => {
    const world = await startWorld({ policies: { 'wasmpay.yaml': POLICY } });
    const { status, body } = await send(world.config.brokerSocket, documented.bytes);
    expect([status, body]).toEqual([documented.status, pattern(documented.answer)]);
  });
});
