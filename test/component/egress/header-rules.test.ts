import { describe, expect, test } from 'vitest';
import {
  FORBIDDEN_HEADERS,
  isFieldValue,
  isForbiddenHeader,
  isForbiddenTrailer,
  isToken,
} from '../../../src/component/egress/header-rules.ts';

test('headers about the connection and the framing are forbidden, in any case', () => {
  expect(
    [...FORBIDDEN_HEADERS].filter((name) => !isForbiddenHeader(name) || !isForbiddenHeader(name.toUpperCase())),
  ).toEqual([]);
  expect([...FORBIDDEN_HEADERS].filter((name) => !isForbiddenTrailer(name))).toEqual([]);
  expect(
    ['Content-Length', 'authorization', 'Cookie', 'Accept-Encoding', 'connection2', ''].filter(isForbiddenHeader),
  ).toEqual([]);
  expect(['Content-Length', 'AUTHORIZATION', 'Cookie'].filter((name) => !isForbiddenTrailer(name))).toEqual([]);
  expect(isForbiddenTrailer('X-Checksum')).toBe(false);
});

describe('names and values', () => {
  test('a name is a token', () => {
    expect(['a', 'X-A', "!#$%&'*+-.^_`|~09azAZ"].every(isToken)).toBe(true);
    expect(['', ' ', 'a b', 'a:', 'a\n', 'ä', '(a)', 'a\0', 'a\u{10a}'].some(isToken)).toBe(false);
  });

  test('a value is visible, with blanks and tabs within', () => {
    const value = (text: string): boolean => isFieldValue(Buffer.from(text, 'latin1'));
    expect(['', 'a', 'a b\tc', '\xff\x80', '"', ':'].every(value)).toBe(true);
    const refused = ['\r', '\n', '\0', '\x1f', '\x7f', 'a\r\nb'];
    expect([...refused, ...refused.map((text) => `a${text}b`), ' a', 'a ', '\ta', 'a\t', ' '].some(value)).toBe(false);
  });

  test('every byte is one or the other', () => {
    const accepted = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) =>
      isFieldValue(Uint8Array.of(0x61, byte, 0x61)),
    );
    expect(accepted).toHaveLength(256 - 32 - 1 + 1);
  });
});
