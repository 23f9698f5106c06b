import { invalidComponent } from './invalid-component.ts';

/** Reads the binary format of WebAssembly from front to back, and never beyond its end. */
export interface WasmReader {
  /** Where the next byte stands in the whole. */
  readonly at: number;
  readonly done: boolean;
  byte(): number;
  /** An unsigned 32-bit number in LEB128, which may be padded with zeros up to five bytes. */
  u32(): number;
  /** Passes over a signed number in LEB128 of at most this many bits. */
  skipSigned(bits: 32 | 33 | 64): void;
  /** A part of its own, of this many bytes; this reader goes on behind it. */
  part(length: number): WasmReader;
}

/**
 * A reader of `bytes` from `start` to `end`. WebAssembly Core Specification, section 5.2 (values).
 * @throws SvidxError `component_invalid`, from each of its functions, where the bytes end or are not what is read
 */
export function createWasmReader(bytes: Uint8Array, start = 0, end = bytes.length): WasmReader {
  let at = start;

  function byte(): number {
    const value = at < end ? bytes[at] : undefined;
    if (value === undefined) throw invalidComponent(`unexpected end of a section at byte ${at}`);
    at += 1;
    return value;
  }

  return {
    get at() {
      return at;
    },
    get done() {
      return at === end;
    },
    byte,
    u32() {
      let value = 0;
      for (let shift = 0; shift < 35; shift += 7) {
        const next = byte();
        // The fifth byte holds the last four bits, and no continuation.
        if (shift === 28 && next > 0x0f) break;
        value += (next & 0x7f) * 2 ** shift;
        if (next < 0x80) return value;
      }
      throw invalidComponent(`a number before byte ${at} is longer than 32 bits`);
    },
    skipSigned(bits) {
      for (let length = 0; length < Math.ceil(bits / 7); length += 1) {
        if (byte() < 0x80) return;
      }
      throw invalidComponent(`a number before byte ${at} is longer than ${bits} bits`);
    },
    part(length) {
      if (length > end - at) throw invalidComponent(`a length before byte ${at} goes beyond the end`);
      at += length;
      return createWasmReader(bytes, at - length, at);
    },
  };
}
