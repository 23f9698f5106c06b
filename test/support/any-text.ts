import fc from 'fast-check';

/** Any UTF-16 code unit, halves of surrogate pairs and control characters included; half of them are ASCII. */
const anyUnit = fc
  .oneof(fc.integer({ min: 0, max: 0x7f }), fc.integer({ min: 0, max: 0xffff }))
  .map((code) => String.fromCharCode(code));

/** Any text at all. (fast-check's own `unit: 'binary'` takes a second to get ready in each process.) */
export function anyText(
  limits: { readonly minLength?: number; readonly maxLength?: number } = {},
): fc.Arbitrary<string> {
  return fc.string({ unit: anyUnit, ...limits });
}
