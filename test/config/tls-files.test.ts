import { rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readTlsFiles, type TlsFiles, type WatchedTlsFiles, watchTlsFiles } from '../../src/config/tls-files.ts';
import { createFakeClock, type FakeClock } from '../fakes/clock.ts';
import { createMemoryLog, type MemoryLog } from '../fakes/log.ts';
import { createCertificate, type TestCertificate } from '../support/certificates.ts';
import { refusal } from '../support/errors.ts';
import { tempFolder } from '../support/temp.ts';

const HOURS = 3600_000;
const first = createCertificate({ hosts: ['oidc.example.org'] });
const second = createCertificate({ hosts: ['oidc.example.org'] });
const expired = createCertificate({
  hosts: ['oidc.example.org'],
  notBefore: new Date(Date.now() - 2 * HOURS),
  notAfter: new Date(Date.now() - HOURS),
});

async function write(files: TlsFiles, { cert, key }: TestCertificate): Promise<void> {
  await writeFile(files.certFile, cert);
  await writeFile(files.keyFile, key);
}

async function filesOf(pair: TestCertificate): Promise<TlsFiles> {
  const folder = await tempFolder();
  const files = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') };
  await write(files, pair);
  return files;
}

interface Watched {
  readonly tls: WatchedTlsFiles;
  readonly clock: FakeClock;
  readonly log: MemoryLog;
  /** What was logged since the last call. */
  events(): unknown[];
}

async function watch(files: TlsFiles): Promise<Watched> {
  const clock = createFakeClock(Date.now());
  const log = createMemoryLog();
  const tls = await watchTlsFiles({ files, clock, logger: log.logger });
  onTestFinished(() => tls.close());
  return { tls, clock, log, events: () => log.lines.splice(0).map((line) => JSON.parse(line).event) };
}

/** Every way to have a pair that cannot be used, with what is said of it. */
const BAD: readonly (readonly [string, (files: TlsFiles) => Promise<void>, RegExp])[] = [
  ['the certificate is gone', ({ certFile }) => unlink(certFile), /tls\.crt: cannot be read \(ENOENT\)$/],
  ['the key is gone', ({ keyFile }) => unlink(keyFile), /tls\.key: cannot be read \(ENOENT\)$/],
  ['the certificate is empty', ({ certFile }) => writeFile(certFile, ''), /tls\.crt: expected a certificate in PEM$/],
  ['the key is empty', ({ keyFile }) => writeFile(keyFile, ''), /tls\.key: expected a private key in PEM/],
  [
    'the certificate is half written',
    ({ certFile }) => writeFile(certFile, second.cert.slice(0, 300)),
    /tls\.crt: expected a certificate in PEM$/,
  ],
  [
    'the key is half written',
    ({ keyFile }) => writeFile(keyFile, second.key.slice(0, 100)),
    /tls\.key: expected a private key in PEM/,
  ],
  [
    'the key is that of another certificate',
    ({ keyFile }) => writeFile(keyFile, second.key),
    /tls\.key: is not the key of the certificate in .*tls\.crt$/,
  ],
  [
    'the certificate is that of another key',
    ({ certFile }) => writeFile(certFile, second.cert),
    /tls\.key: is not the key of the certificate in .*tls\.crt$/,
  ],
  ['the files are swapped', (files) => write(files, { cert: second.key, key: second.cert }), /tls\.crt: expected/],
  [
    'the certificate is not UTF-8',
    ({ certFile }) => writeFile(certFile, Buffer.from('\xff', 'latin1')),
    /tls\.crt: is not UTF-8 text$/,
  ],
];

describe('a certificate and its key', () => {
  test('are read together', async () => {
    expect(await readTlsFiles(await filesOf(first))).toMatchObject(first);
  });

  test.each(BAD)('are refused when %s', async (_, spoil, problem) => {
    const files = await filesOf(first);
    await spoil(files);
    const error = await refusal(readTlsFiles(files));
    expect(error.code).toBe('config_invalid');
    expect(error.message).toMatch(problem);
    expect(error.message).not.toMatch(/BEGIN|MII|MIG/);
    expect(
      await refusal(watchTlsFiles({ files, clock: createFakeClock(), logger: createMemoryLog().logger })),
    ).toMatchObject({ code: 'config_invalid' });
  });
});

describe('files that are watched', () => {
  test('give the new pair once they have changed, and say so', async () => {
    const files = await filesOf(first);
    const { tls, events } = await watch(files);
    const seen: string[] = [];
    tls.onChange(({ cert }) => seen.push(cert));
    await write(files, second);
    expect(tls.current()).toMatchObject(first);
    await tls.check();
    expect(tls.current()).toMatchObject(second);
    expect(seen).toEqual([second.cert]);
    expect(events()).toEqual(['tls.changed']);
    expect(tls.health().state).toBe('up');
  });

  test('may be links that are moved, as Kubernetes does', async () => {
    const folder = await tempFolder();
    const [old, fresh] = [await filesOf(first), await filesOf(second)];
    const files = { certFile: join(folder, 'data/tls.crt'), keyFile: join(folder, 'data/tls.key') };
    await symlink(join(old.certFile, '..'), join(folder, 'data'));
    const { tls } = await watch(files);
    await symlink(join(fresh.certFile, '..'), join(folder, 'next'));
    await rename(join(folder, 'next'), join(folder, 'data'));
    await tls.check();
    expect(tls.current()).toMatchObject(second);
  });

  test('are looked at every two seconds', async () => {
    const files = await filesOf(first);
    const { tls, clock } = await watch(files);
    await write(files, second);
    await clock.advance(1_999);
    expect(tls.current()).toMatchObject(first);
    const changed = new Promise<void>((resolve) => tls.onChange(() => resolve()));
    await clock.advance(1);
    await changed;
    expect(tls.current()).toMatchObject(second);
    await clock.waitForTimers(1);
  });

  test.each(BAD)('leave the good pair in use when %s, say so once, and are mended', async (_, spoil, problem) => {
    const files = await filesOf(first);
    const { tls, clock, log, events } = await watch(files);
    const lastGoodAt = clock.now();
    await clock.advance(1_000);
    await spoil(files);
    await tls.check();
    await tls.check();
    expect(tls.current()).toMatchObject(first);
    const health = tls.health();
    expect(health).toMatchObject({ state: 'degraded', code: 'config_invalid', lastGoodAt });
    expect(health.reason).toMatch(problem);
    expect(log.lines.join()).not.toMatch(/BEGIN|MII|MIG/);
    expect(events()).toEqual(['tls.reload_failed']);
    await write(files, second);
    await tls.check();
    expect(tls.current()).toMatchObject(second);
    expect(tls.health()).toMatchObject({ state: 'up', lastGoodAt: clock.now() });
  });

  test('leave the good pair in use when the new certificate has expired', async () => {
    const files = await filesOf(first);
    const { tls } = await watch(files);
    await write(files, expired);
    await tls.check();
    expect(tls.current()).toMatchObject(first);
    expect(tls.health()).toMatchObject({ state: 'degraded', reason: expect.stringMatching(/tls\.crt: has expired$/) });
  });

  test('are good again when the good pair comes back, without a change', async () => {
    const files = await filesOf(first);
    const { tls, events } = await watch(files);
    await rm(files.keyFile);
    await tls.check();
    await write(files, first);
    await tls.check();
    expect(tls.health().state).toBe('up');
    expect(events()).toEqual(['tls.reload_failed']);
  });

  test('are down once the certificate in use has expired', async () => {
    const { tls, clock } = await watch(await filesOf(first));
    const { notAfter } = tls.current();
    await clock.advance(notAfter - clock.now() - 1);
    expect(tls.health()).toMatchObject({
      state: 'up',
      reason: `the certificate is valid until ${new Date(notAfter).toISOString()}`,
    });
    await clock.advance(1);
    expect(tls.health()).toMatchObject({ state: 'down', code: 'config_invalid' });
  });

  test('may have expired already at the start: components are served all the same, and health tells', async () => {
    const { tls } = await watch(await filesOf(expired));
    expect(tls.health().state).toBe('down');
  });

  test('are left alone once the watch is closed', async () => {
    const { tls, clock } = await watch(await filesOf(first));
    tls.close();
    expect(clock.timers).toBe(0);
  });
});
