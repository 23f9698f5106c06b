import { randomBytes, randomFillSync } from 'node:crypto';
import { InputStream, IoError, monotonicNow, OutputStream, Pollable, poll } from './wasi-io.ts';

/** Host interfaces as `jco` takes them: by interface name without version, then by JavaScript name. */
export type ImportObject = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** A resource of which no handle is ever given out, so none of its methods can be called. */
function unreachableResource(): unknown {
  return class Unreachable {};
}

/** `wasi:sockets/network.network`: a handle that opens nothing, since every function that takes one refuses. */
class Network {}

/** Throws the case of a WIT error enum, which `jco` hands to the component as the `err` of a result. */
function refuse(errorCode: string): () => never {
  return () => {
    throw errorCode;
  };
}

/** Nothing can end the host: a component that exits has trapped. */
function exit(): never {
  throw new Error('the component called exit');
}

/**
 * What toolchains import out of habit: there, so that ordinary components load, and empty. No arguments, no variables,
 * no folders, no network; input is at its end, output goes nowhere. Clocks and random numbers are real.
 *
 * WASI 0.2 (github.com/WebAssembly/WASI, wasip2). Everything here runs inside the component's worker thread.
 */
export const EMPTY_WASI: ImportObject = {
  'wasi:cli/environment': { getEnvironment: () => [], getArguments: () => [], initialCwd: () => undefined },
  'wasi:cli/exit': { exit, exitWithCode: exit },
  'wasi:cli/stdin': { getStdin: () => new InputStream() },
  'wasi:cli/stdout': { getStdout: () => new OutputStream() },
  'wasi:cli/stderr': { getStderr: () => new OutputStream() },
  'wasi:cli/terminal-input': { TerminalInput: unreachableResource() },
  'wasi:cli/terminal-output': { TerminalOutput: unreachableResource() },
  'wasi:cli/terminal-stdin': { getTerminalStdin: () => undefined },
  'wasi:cli/terminal-stdout': { getTerminalStdout: () => undefined },
  'wasi:cli/terminal-stderr': { getTerminalStderr: () => undefined },

  'wasi:clocks/monotonic-clock': {
    now: monotonicNow,
    resolution: () => 1_000n,
    subscribeInstant: (instant: bigint) => new Pollable(instant),
    subscribeDuration: (duration: bigint) => new Pollable(monotonicNow() + duration),
  },
  'wasi:clocks/wall-clock': {
    now: wallClock,
    resolution: () => ({ seconds: 0n, nanoseconds: 1_000_000 }),
  },

  'wasi:random/random': {
    getRandomBytes: (length: bigint) => new Uint8Array(randomBytes(boundedLength(length))),
    getRandomU64: randomU64,
  },
  'wasi:random/insecure': {
    getInsecureRandomBytes: (length: bigint) => new Uint8Array(randomBytes(boundedLength(length))),
    getInsecureRandomU64: randomU64,
  },
  'wasi:random/insecure-seed': { insecureSeed: () => [randomU64(), randomU64()] },

  'wasi:io/error': { Error: IoError },
  'wasi:io/poll': { Pollable, poll },
  'wasi:io/streams': { InputStream, OutputStream },

  'wasi:filesystem/preopens': { getDirectories: () => [] },
  'wasi:filesystem/types': {
    Descriptor: unreachableResource(),
    DirectoryEntryStream: unreachableResource(),
    filesystemErrorCode: () => undefined,
  },

  'wasi:sockets/network': { Network, networkErrorCode: () => undefined },
  'wasi:sockets/instance-network': { instanceNetwork: () => new Network() },
  'wasi:sockets/ip-name-lookup': {
    ResolveAddressStream: unreachableResource(),
    resolveAddresses: refuse('access-denied'),
  },
  'wasi:sockets/tcp': { TcpSocket: unreachableResource() },
  'wasi:sockets/tcp-create-socket': { createTcpSocket: refuse('access-denied') },
  'wasi:sockets/udp': {
    UdpSocket: unreachableResource(),
    IncomingDatagramStream: unreachableResource(),
    OutgoingDatagramStream: unreachableResource(),
  },
  'wasi:sockets/udp-create-socket': { createUdpSocket: refuse('access-denied') },
};

function wallClock(): { seconds: bigint; nanoseconds: number } {
  const now = Date.now();
  return { seconds: BigInt(Math.floor(now / 1000)), nanoseconds: (now % 1000) * 1_000_000 };
}

/** One call may ask for at most 64 KiB; more is a mistake or an attack on the host's memory. */
function boundedLength(length: bigint): number {
  if (length > 65_536n) throw new RangeError('at most 65536 random bytes at a time');
  return Number(length);
}

function randomU64(): bigint {
  return randomFillSync(new BigUint64Array(1))[0] ?? 0n;
}
