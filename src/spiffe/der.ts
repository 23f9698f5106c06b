/** One value in DER: its identifier octet and its content octets. */
export interface DerValue {
  readonly tag: number;
  readonly content: Uint8Array;
  /** The whole value, identifier and length included. */
  readonly bytes: Uint8Array;
}

/** The identifier octets used in certificates (X.690 section 8.1.2). */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  sequence: 0x30,
} as const;

/**
 * Reads values that stand one after the other, in the Distinguished Encoding Rules alone (X.690 section 10.1): definite
 * lengths in their shortest form. Tags beyond 30 do not occur in certificates.
 * @throws RangeError for anything else
 */
export function readDerValues(bytes: Uint8Array): DerValue[] {
  const values: DerValue[] = [];
  for (let at = 0; at < bytes.length; ) {
    const value = readAt(bytes, at);
    values.push(value);
    at += value.bytes.length;
  }
  return values;
}

/**
 * Reads one value that must be of this kind, and gives what it consists of: the values inside.
 * @throws RangeError
 */
export function readDerSequence(bytes: Uint8Array): DerValue[] {
  return readDerValues(readDer(bytes, TAG.sequence));
}

/**
 * Reads exactly one value with this tag.
 * @returns its content
 * @throws RangeError
 */
export function readDer(bytes: Uint8Array, tag: number): Uint8Array {
  const value = readAt(bytes, 0);
  if (value.tag !== tag || value.bytes.length !== bytes.length) throw new RangeError('not the DER value expected');
  return value.content;
}

function readAt(bytes: Uint8Array, at: number): DerValue {
  const [tag, first] = [byteAt(bytes, at), byteAt(bytes, at + 1)];
  if ((tag & 0x1f) === 0x1f) throw new RangeError('not a tag of certificates');
  const count = first < 0x80 ? 0 : first & 0x7f;
  // 0x80 would be an indefinite length; nothing here is larger than three octets can say.
  if (first === 0x80 || count > 3) throw new RangeError('not a definite length');
  let length = first;
  if (count > 0) {
    length = 0;
    for (let index = 0; index < count; index += 1) length = length * 256 + byteAt(bytes, at + 2 + index);
    if (length < 0x80 || length < 256 ** (count - 1)) throw new RangeError('not the shortest length');
  }
  const start = at + 2 + count;
  const end = start + length;
  if (end > bytes.length) throw new RangeError('ends too early');
  return { tag, content: bytes.subarray(start, end), bytes: bytes.subarray(at, end) };
}

function byteAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw new RangeError('ends too early');
  return byte;
}
