/** Tag, length and content (X.690 section 8.1). */
export function der(tag: number, content: Buffer): Buffer {
  if (content.length < 128) return Buffer.concat([Buffer.of(tag, content.length), content]);
  const digits = content.length.toString(16);
  const length = Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex');
  return Buffer.concat([Buffer.of(tag, 0x80 + length.length), length, content]);
}

export function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

/** Context-specific and constructed: `[tag] EXPLICIT`. */
export function explicit(tag: number, content: Buffer): Buffer {
  return der(0xa0 + tag, content);
}

export function boolean(value: boolean): Buffer {
  return der(0x01, Buffer.of(value ? 0xff : 0x00));
}

/** A number that is not negative, whatever its first bit. */
export function integer(bytes: Buffer): Buffer {
  const shortest = bytes.subarray(bytes.findIndex((byte, at) => byte !== 0 || at === bytes.length - 1));
  return der(0x02, (shortest[0] ?? 0) < 0x80 ? shortest : Buffer.concat([Buffer.of(0), shortest]));
}

/** @param unused how many bits of the last octet say nothing */
export function bitString(bytes: Buffer, unused = 0): Buffer {
  return der(0x03, Buffer.concat([Buffer.of(unused), bytes]));
}

export function octetString(bytes: Buffer): Buffer {
  return der(0x04, bytes);
}

export function utf8String(text: string): Buffer {
  return der(0x0c, Buffer.from(text));
}

/** @param text such as `2.5.29.17` */
export function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const base128 = (value: number): number[] => {
    const digits = [value & 0x7f];
    for (let high = value >> 7; high > 0; high >>= 7) digits.unshift((high & 0x7f) | 0x80);
    return digits;
  };
  return der(0x06, Buffer.from([first * 40 + second, ...rest].flatMap(base128)));
}

/** RFC 5280 section 4.1.2.5: two digits for the year up to 2049, four from 2050 on. */
export function time(date: Date): Buffer {
  const digits = `${date.toISOString().replace(/[-:T]|\..*$/g, '')}Z`;
  return date.getUTCFullYear() < 2050 ? der(0x17, Buffer.from(digits.slice(2))) : der(0x18, Buffer.from(digits));
}
