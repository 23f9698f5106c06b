import { randomBytes, randomFillSync } from 'node:crypto';

/** One call may ask for at most so many bytes; more is a mistake or an attack on the host's memory. */
const MAX_RANDOM_BYTES = 65_536;

/** `wasi:random` 0.2: all of it from the same good source, the insecure ones too. */
export const WASI_RANDOM: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'wasi:random/random': { getRandomBytes: bytes, getRandomU64: u64 },
  'wasi:random/insecure': { getInsecureRandomBytes: bytes, getInsecureRandomU64: u64 },
  'wasi:random/insecure-seed': { insecureSeed: () => [u64(), u64()] },
};

function bytes(length: bigint): Uint8Array {
  if (length > BigInt(MAX_RANDOM_BYTES)) throw new RangeError(`at most ${MAX_RANDOM_BYTES} random bytes at a time`);
  return new Uint8Array(randomBytes(Number(length)));
}

function u64(): bigint {
  return randomFillSync(new BigUint64Array(1))[0] ?? 0n;
}
