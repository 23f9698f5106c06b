import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseForm } from '../../src/http/form.ts';

/** The fields in their order, as far as names that stand several times leave it. */
function fields(body: string | Uint8Array): [string, readonly string[]][] | undefined {
  const form = parseForm(Buffer.from(body));
  return form && [...form];
}

/** Any Unicode text: what has no surrogate on its own. */
const text = fc.string({ unit: 'binary' });
const pair = fc.tuple(text, text);

describe('a form', () => {
  test.each<[string, [string, string[]][]]>([
    ['', []],
    ['a=1', [['a', ['1']]]],
    [
      'a=1&b=2',
      [
        ['a', ['1']],
        ['b', ['2']],
      ],
    ],
    [
      'a=1&a=2&b=&a=1',
      [
        ['a', ['1', '2', '1']],
        ['b', ['']],
      ],
    ],
    ['a', [['a', ['']]]],
    ['=1', [['', ['1']]]],
    ['&&a=1&', [['a', ['1']]]],
    ['a=b=c', [['a', ['b=c']]]],
    ['a=b+c%20d%2Be', [['a', ['b c d+e']]]],
    ['%61=%c3%A4%F0%9F%8C%8D', [['a', ['ä🌍']]]],
    ['a=ä', [['a', ['ä']]]],
    ['a=1;b=2', [['a', ['1;b=2']]]],
    ['a%00=%00', [['a\0', ['\0']]]],
    ['\ufeffa=1', [['\ufeffa', ['1']]]],
    [
      '__proto__=1&constructor=2',
      [
        ['__proto__', ['1']],
        ['constructor', ['2']],
      ],
    ],
  ])('%j', (body, expected) => {
    expect(fields(body)).toEqual(expected);
  });

  test.each(['a=%', 'a=%4', 'a=%zz', 'a=%u0041', '%=1', 'a=%ff', 'a=%c3', 'a=%c0%af', 'a=%ed%a0%80', 'b=1&a=%C3%28'])(
    '%j is none, and nothing of it is used',
    (body) => {
      expect(parseForm(Buffer.from(body))).toBeUndefined();
    },
  );

  test.each([
    ['Latin-1', Buffer.from('a=\xe4', 'latin1')],
    ['UTF-16', Buffer.from('a=1\u00ff', 'utf16le')],
    ['half a character', Buffer.from('a=ä').subarray(0, 3)],
  ])('in %s is none', (_, body) => {
    expect(parseForm(body)).toBeUndefined();
  });

  test('has what was written into it, whatever it is, in any number', () => {
    fc.assert(
      fc.property(fc.array(pair), (pairs) => {
        const form = parseForm(Buffer.from(new URLSearchParams(pairs).toString()));
        const names = [...new Set(pairs.map(([name]) => name))];
        expect([...(form ?? [])]).toEqual(
          names.map((name) => [name, pairs.filter(([other]) => other === name).map(([, value]) => value)]),
        );
      }),
    );
  });

  test('with every byte percent-encoded is the same form', () => {
    const encode = (value: string) =>
      [...Buffer.from(value)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
    fc.assert(
      fc.property(fc.array(pair), (pairs) => {
        const plain = new URLSearchParams(pairs).toString();
        const encoded = pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&');
        expect(fields(encoded)).toEqual(fields(plain));
      }),
    );
  });

  test('is read as the URL standard reads it, or not at all', () => {
    const soup = fc.string({ unit: fc.constantFrom('a', 'b', '=', '&', '+', '%', '4', '1', 'c', '3', 'a4', 'ä', ' ') });
    fc.assert(
      fc.property(soup, (body) => {
        const form = parseForm(Buffer.from(body));
        if (form === undefined) return;
        const standard = new URLSearchParams(body);
        expect([...form]).toEqual([...new Set(standard.keys())].map((name) => [name, standard.getAll(name)]));
      }),
      { numRuns: 500 },
    );
  });

  test('of any bytes never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        parseForm(bytes);
      }),
    );
  });
});
