import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { durationSchema, formatDuration, parseDuration } from '../../src/base/duration.ts';
import { anyText } from '../support/any-text.ts';

describe('a duration', () => {
  test.each([
    ['1s', 1],
    ['90s', 90],
    ['15m', 900],
    ['12h', 43_200],
    ['1d', 86_400],
    ['9999999s', 9_999_999],
    ['9999999d', 9_999_999 * 86_400],
  ])('%s is %d seconds', (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });

  test.each([
    '',
    ' ',
    's',
    '1',
    '0s',
    '00s',
    '01s',
    '-1s',
    '+1s',
    '1.5h',
    '1,5h',
    '1e3s',
    '0x1s',
    ' 1s',
    '1s ',
    '1 s',
    '1s\n',
    '1S',
    '1H',
    '1ms',
    '1w',
    '1y',
    '1sec',
    '1h30m',
    '10000000s',
    '1\u00a0s',
    '\u0661s',
    '\uff11s',
    'Infinityd',
    'NaNs',
    '1__proto__',
    'constructor',
  ])('%j is none', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  test('ends in one of four letters, and in no other character', () => {
    const accepted = Array.from({ length: 1000 }, (_, code) => String.fromCharCode(code)).filter(
      (char) => parseDuration(`7${char}`) !== undefined,
    );
    expect(accepted).toEqual(['d', 'h', 'm', 's']);
  });

  test('is read from its own form or not at all, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(anyText(), fc.stringMatching(/^[0-9]{1,8}[smhdx]$/)), (text) => {
        expect(parseDuration(text) !== undefined).toBe(/^[1-9]\d{0,6}[smhd]$/.test(text) && !text.includes('\n'));
      }),
    );
  });
});

describe('seconds', () => {
  test.each([
    [1, '1s'],
    [59, '59s'],
    [60, '1m'],
    [90, '90s'],
    [3600, '1h'],
    [5400, '90m'],
    [43_200, '12h'],
    [86_400, '1d'],
    [90_000, '25h'],
  ])('%d is written as %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });

  test('read back as they were written', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9_999_999 }),
        (seconds) => parseDuration(formatDuration(seconds)) === seconds,
      ),
    );
  });
});

describe('the schema of a duration', () => {
  const schema = durationSchema({ min: 60, max: 3600 }, '15m');

  test.each([
    ['1m', 60],
    ['60s', 60],
    ['1h', 3600],
    ['3600s', 3600],
    [undefined, 900],
  ])('reads %j as %d seconds', (text, seconds) => {
    expect(schema.parse(text)).toBe(seconds);
  });

  test.each(['59s', '3601s', '61m', '2h', '0s', 'soon', ''])('refuses %j and says what is accepted', (text) => {
    expect(schema.safeParse(text).error?.issues.map(({ message }) => message)).toEqual([
      'expected a duration of 1m to 1h, such as 15m',
    ]);
  });

  test.each([60, null, true, [], {}])('refuses %j, which is no text', (value) => {
    expect(schema.safeParse(value).success).toBe(false);
  });
});
