import { describe, expect, test } from 'vitest';
import { createGuestImports } from '../../../src/component/guest/guest-imports.ts';
import { InputStream, OutputStream, Pollable } from '../../../src/component/imports/wasi-io.ts';
import { createFakeGuest } from '../../fakes/guest.ts';
import { thrown } from '../../support/thrown.ts';

const imports = createGuestImports(createFakeGuest(), [{ interface: 'test:host/store', functions: ['list-keys'] }]);

/** Calls a function of an interface, as jco would. */
function call(name: string, fn: string, ...args: unknown[]): unknown {
  const found = imports.object[name]?.[fn];
  if (typeof found !== 'function') throw new Error(`no ${name}.${fn}`);
  return found(...args);
}

describe('what is there', () => {
  test('is exactly this: nothing that reaches files, network or other processes', () => {
    const families = Object.keys(imports.object).map((name) => name.replace(/\/.*/, ''));
    expect([...new Set(families)].sort()).toEqual([
      'test:host',
      'wasi:cli',
      'wasi:clocks',
      'wasi:filesystem',
      'wasi:http',
      'wasi:io',
      'wasi:random',
      'wasi:sockets',
    ]);
  });
});

describe('what is empty', () => {
  test('the environment, though this process has one', () => {
    process.env['SVIDX_TEST_SECRET'] = 'SECRET-1';
    try {
      expect(call('wasi:cli/environment', 'getEnvironment')).toEqual([]);
    } finally {
      delete process.env['SVIDX_TEST_SECRET'];
    }
    expect(call('wasi:cli/environment', 'getArguments')).toEqual([]);
    imports.forCommand(['a', 'b']);
    expect(call('wasi:cli/environment', 'getArguments')).toEqual(['a', 'b']);
    imports.reset();
    expect(call('wasi:cli/environment', 'getArguments')).toEqual([]);
    expect(call('wasi:cli/environment', 'initialCwd')).toBeUndefined();
  });

  test('the file system', () => {
    expect(call('wasi:filesystem/preopens', 'getDirectories')).toEqual([]);
    expect(call('wasi:filesystem/types', 'filesystemErrorCode', {})).toBeUndefined();
  });

  test('the terminal', () => {
    for (const stream of ['stdin', 'stdout', 'stderr']) {
      const getter = `getTerminal${stream.charAt(0).toUpperCase()}${stream.slice(1)}`;
      expect(call(`wasi:cli/terminal-${stream}`, getter)).toBeUndefined();
    }
  });

  test('standard input and output', () => {
    expect(call('wasi:cli/stdin', 'getStdin')).toBeInstanceOf(InputStream);
    expect(call('wasi:cli/stdout', 'getStdout')).toBeInstanceOf(OutputStream);
    expect(call('wasi:cli/stderr', 'getStderr')).toBeInstanceOf(OutputStream);
  });

  test('the network: every way to a socket is refused', () => {
    expect(call('wasi:sockets/instance-network', 'instanceNetwork')).toBeInstanceOf(Object);
    const ways: readonly (readonly [string, string])[] = [
      ['wasi:sockets/tcp-create-socket', 'createTcpSocket'],
      ['wasi:sockets/udp-create-socket', 'createUdpSocket'],
      ['wasi:sockets/ip-name-lookup', 'resolveAddresses'],
    ];
    for (const [name, fn] of ways)
      expect([name, thrown(() => call(name, fn, 'ipv4'))]).toEqual([name, 'access-denied']);
    expect(call('wasi:sockets/network', 'networkErrorCode', {})).toBeUndefined();
  });

  test('resources that nobody gets have no methods', () => {
    const unreachable: readonly (readonly [string, string])[] = [
      ['wasi:filesystem/types', 'Descriptor'],
      ['wasi:filesystem/types', 'DirectoryEntryStream'],
      ['wasi:sockets/tcp', 'TcpSocket'],
      ['wasi:sockets/udp', 'UdpSocket'],
      ['wasi:sockets/udp', 'IncomingDatagramStream'],
      ['wasi:sockets/udp', 'OutgoingDatagramStream'],
      ['wasi:sockets/ip-name-lookup', 'ResolveAddressStream'],
      ['wasi:cli/terminal-input', 'TerminalInput'],
      ['wasi:cli/terminal-output', 'TerminalOutput'],
    ];
    for (const [name, resource] of unreachable) {
      const found = imports.object[name]?.[resource];
      const prototype: unknown = typeof found === 'function' ? found.prototype : undefined;
      expect([name, Object.getOwnPropertyNames(prototype)]).toEqual([name, ['constructor']]);
    }
  });

  test('exit ends the component, not the host', () => {
    const ways = [
      ['exit', { tag: 'ok' }, 0],
      ['exit', { tag: 'err' }, 1],
      ['exitWithCode', 7, 7],
    ] as const;
    for (const [fn, status, code] of ways) {
      expect(thrown(() => call('wasi:cli/exit', fn, status))).toMatchObject({
        message: 'the component called exit',
        code,
      });
    }
  });
});

describe('what a component writes', () => {
  /** How many bytes, in how many messages, of what is written a thousand bytes or so at a time. */
  function write(length: number, times: number, character = 'a'): { bytes: number; messages: number } {
    const guest = createFakeGuest();
    const stdout = Object(createGuestImports(guest, []).object['wasi:cli/stdout'])['getStdout']();
    for (let time = 0; time < times; time += 1) stdout.blockingWriteAndFlush(Buffer.alloc(length, character));
    const written = guest.border.sent.flatMap((message) => (message.type === 'output' ? [message.bytes] : []));
    return { bytes: written.reduce((sum, bytes) => sum + bytes.length, 0), messages: written.length };
  }

  test('goes out as it is, up to a quarter of a MiB', () => {
    expect(write(1000, 10)).toEqual({ bytes: 10_000, messages: 10 });
    expect(write(1000, 1000).bytes).toBe(262_144);
    expect(write(1_000_000, 10).bytes).toBe(262_144);
  });

  test('of a command goes out up to 64 MiB, and then it is told', () => {
    const guest = createFakeGuest();
    const imports = createGuestImports(guest, []);
    imports.forCommand([]);
    const stdout = Object(imports.object['wasi:cli/stdout'])['getStdout']();
    const mebibyte = () => new Uint8Array(1024 * 1024);
    for (let time = 0; time < 63; time += 1) stdout.blockingWriteAndFlush(mebibyte());
    expect(thrown(() => stdout.blockingWriteAndFlush(mebibyte()))).toEqual({ tag: 'closed' });
    expect(thrown(() => stdout.checkWrite())).toEqual({ tag: 'closed' });
    imports.reset();
    expect(stdout.checkWrite()).toBe(16_384n);
  });

  test('in small pieces is no flood of messages', () => {
    expect(write(1, 100)).toEqual({ bytes: 100, messages: 100 });
    expect(write(1, 100_000)).toEqual({ bytes: 4096, messages: 4096 });
  });

  test('in many lines is no flood of lines, but for a command, whose output is no log', () => {
    expect(write(16_000, 100, 'a\n').bytes).toBe(16_000);
    expect(write(16_000, 100, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n').bytes).toBe(262_144);
    const guest = createFakeGuest();
    const imports = createGuestImports(guest, []);
    imports.forCommand([]);
    const stdout = Object(imports.object['wasi:cli/stdout'])['getStdout']();
    for (let time = 0; time < 100; time += 1) stdout.blockingWriteAndFlush(Buffer.alloc(16_000, 'a\n'));
    expect(guest.border.sent).toHaveLength(100);
  });

  test('begins anew with each instance', () => {
    const guest = createFakeGuest();
    const made = createGuestImports(guest, []);
    for (let instance = 0; instance < 2; instance += 1) {
      guest.border.sent.length = 0;
      Object(made.object['wasi:cli/stderr'])['getStderr']().blockingWriteAndFlush(new Uint8Array(300_000));
      expect(guest.border.sent).not.toEqual([]);
      made.reset();
    }
  });
});

describe('what is real', () => {
  test('the wall clock', () => {
    const before = Math.floor(Date.now() / 1000);
    const { seconds, nanoseconds } = Object(call('wasi:clocks/wall-clock', 'now'));
    expect(Number(seconds)).toBeGreaterThanOrEqual(before);
    expect(Number(seconds)).toBeLessThanOrEqual(Math.ceil(Date.now() / 1000));
    expect(nanoseconds).toBeGreaterThanOrEqual(0);
    expect(nanoseconds).toBeLessThan(1_000_000_000);
    expect(call('wasi:clocks/wall-clock', 'resolution')).toEqual({ seconds: 0n, nanoseconds: 1_000_000 });
  });

  test('the monotonic clock, and waits by it', () => {
    const now = call('wasi:clocks/monotonic-clock', 'now');
    expect(typeof now).toBe('bigint');
    expect(call('wasi:clocks/monotonic-clock', 'resolution')).toBe(1_000n);
    const [past, future] = [
      call('wasi:clocks/monotonic-clock', 'subscribeInstant', now),
      call('wasi:clocks/monotonic-clock', 'subscribeDuration', 2n ** 64n - 1n),
    ];
    expect(past).toBeInstanceOf(Pollable);
    expect([past, future].map((pollable) => pollable instanceof Pollable && pollable.ready())).toEqual([true, false]);
  });

  test.each([
    ['wasi:random/random', 'getRandomBytes', 'getRandomU64'],
    ['wasi:random/insecure', 'getInsecureRandomBytes', 'getInsecureRandomU64'],
  ])('random numbers of %s, up to 64 KiB at a time', (name, bytes, number) => {
    for (const length of [0n, 1n, 65_536n]) {
      const given = call(name, bytes, length);
      expect(given).toBeInstanceOf(Uint8Array);
      expect(given).toHaveLength(Number(length));
    }
    expect(call(name, bytes, 32n)).not.toEqual(call(name, bytes, 32n));
    for (const length of [65_537n, 2n ** 32n, 2n ** 64n - 1n])
      expect(() => call(name, bytes, length)).toThrow(RangeError);
    const numbers = Array.from({ length: 20 }, () => BigInt(String(call(name, number))));
    expect(new Set(numbers).size).toBe(20);
    expect(numbers.every((value) => value >= 0n && value < 2n ** 64n)).toBe(true);
    expect(numbers.some((value) => value >= 2n ** 53n)).toBe(true);
  });

  test('the seed for hash tables', () => {
    const seed = call('wasi:random/insecure-seed', 'insecureSeed');
    expect(seed).toHaveLength(2);
    expect(seed).not.toEqual(call('wasi:random/insecure-seed', 'insecureSeed'));
  });
});
