import { describe, expect, test } from 'vitest';
import { parseAudience } from '../../src/spiffe/audience.ts';

describe('an audience', () => {
  test.each([[['a']], [['a', 'b']], [['b', 'a', 'a']], [[' ']], [['__proto__']]])(
    '%j is one, in the same order',
    (values) => {
      expect(parseAudience(values)).toEqual(values);
    },
  );

  test.each([[[]], [['']], [['', 'a']], [['a', '']]])('%j is none: it would mean that nothing is checked', (values) => {
    expect(parseAudience(values)).toBeUndefined();
  });

  test('is a copy: the list it came from may change', () => {
    const values = ['a', 'b'];
    const audience = parseAudience(values);
    values[0] = '';
    expect(audience).toEqual(['a', 'b']);
  });
});
