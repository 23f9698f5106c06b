const UNIT_BYTES: Readonly<Record<string, number>> = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };
const PATTERN = /^([1-9][0-9]{0,6})(KiB|MiB|GiB)$/;

/** @returns bytes, or `undefined` when the text is not a whole number above 0 followed by `KiB`, `MiB` or `GiB` */
export function parseByteSize(text: string): number | undefined {
  const [, count, unit = ''] = PATTERN.exec(text) ?? [];
  const size = UNIT_BYTES[unit];
  return size === undefined ? undefined : Number(count) * size;
}
