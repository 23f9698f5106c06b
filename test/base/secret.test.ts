import { format, inspect } from 'node:util';
import { serialize } from 'node:v8';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Secret, scrub } from '../../src/base/secret.ts';
import { createMemoryLog } from '../fakes/log.ts';
import { anyText } from '../support/any-text.ts';

const TEXT = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const secret = new Secret(TEXT);

describe('a secret', () => {
  test.each<[string, () => string]>([
    ['a template', () => `${secret}`],
    ['String()', () => String(secret)],
    ['toString()', () => secret.toString()],
    ['concatenation', () => `a${['', secret].join('')}`],
    ['a list that is joined by itself', () => String([secret])],
    ['JSON', () => JSON.stringify(secret)],
    ['JSON within something', () => JSON.stringify({ a: [{ secret }] }, null, 2)],
    ['inspect', () => inspect(secret)],
    ['inspect within something', () => inspect({ a: [new Map([['k', { secret }]])] }, { depth: null })],
    ['inspect of a set', () => inspect(new Set([secret]))],
    ['format %s', () => format('%s', secret)],
    ['format %o', () => format('%o', secret)],
    ['format %O', () => format('%O', secret)],
    ['format %j', () => format('%j', secret)],
    ['an error message', () => new Error(`cannot use ${secret}`).message],
    ['the name of a member', () => Object.keys({ [`${secret}`]: 1 })[0] ?? ''],
  ])('prints as [redacted] in %s', (_, print) => {
    expect(print()).toContain('[redacted]');
    expect(print()).not.toContain(TEXT.slice(0, 8));
  });

  test.each<[string, () => string]>([
    ['inspect that ignores custom inspection', () => inspect(secret, { customInspect: false, showHidden: true })],
    ['inspect at no depth', () => inspect({ secret }, { depth: -1 })],
    ['its keys', () => [...Object.keys(secret), ...Reflect.ownKeys(secret)].join()],
    ['its entries', () => JSON.stringify(Object.entries(secret))],
    ['a spread of it', () => JSON.stringify({ ...secret })],
    ['a structured clone', () => inspect(structuredClone(secret), { showHidden: true })],
    ['what V8 serializes', () => serialize(secret).toString('latin1')],
    ['format %d', () => format('%d', secret)],
    ['a comparison that failed', () => inspect(new Error('x', { cause: { secret } }), { showHidden: true })],
  ])('does not show in %s', (_, print) => {
    expect(print()).not.toContain(TEXT.slice(0, 8));
  });

  test('is redacted by the log, at any depth', () => {
    const log = createMemoryLog();
    log.logger.info({ secret, list: [secret], deep: { deeper: { secret } } }, 'fields');
    log.logger.info(secret, 'in place of the fields');
    log.logger.error({ error: new Error(`failed with ${secret}`) }, 'error');
    expect(log.lines).toHaveLength(3);
    expect(log.lines.join()).not.toContain(TEXT.slice(0, 8));
    expect(log.entries()[0]).toMatchObject({ secret: '[redacted]', list: ['[redacted]'] });
  });

  test.each(['', TEXT, '\0', '\ud800', 'x'.repeat(1_000_000)])('reveals exactly what it was made of', (text) => {
    expect(new Secret(text).reveal()).toBe(text);
  });

  test('is not the text itself, not even loosely', () => {
    expect(Object.is(secret, TEXT)).toBe(false);
    expect(String(secret) === TEXT).toBe(false);
  });
});

const HEADER = 'eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ';
const CLAIMS = 'eyJzdWIiOiJzcGlmZmU6Ly9leGFtcGxlLm9yZy9hcGkifQ';
const SIGNATURE = 'c2lnbmF0dXJlLW9mLXRoZS10b2tlbi1pbi1xdWVzdGlvbg';
const TOKEN = `${HEADER}.${CLAIMS}.${SIGNATURE}`;

describe('scrubbed text', () => {
  test.each([
    ['a token', `invalid: ${TOKEN}!`, 'invalid: [redacted]!'],
    ['a token at its beginning', `${TOKEN} is bad`, '[redacted] is bad'],
    ['a token in quotes', `{"token":"${TOKEN}"}`, '{"token":"[redacted]"}'],
    ['a token in a header', `Authorization: Bearer ${TOKEN}`, 'Authorization: Bearer [redacted]'],
    ['a token in a URL', `https://a/b?token=${TOKEN}&x=1`, 'https://a/b?token=[redacted]&x=1'],
    ['two tokens', `${TOKEN} ${TOKEN}`, '[redacted] [redacted]'],
    ['a token without a signature', `${HEADER}.${CLAIMS}. is unsigned`, '[redacted] is unsigned'],
    ['a token cut off in its claims', `got ${HEADER}.${CLAIMS.slice(0, 20)}`, 'got [redacted]'],
    ['a token cut off in its header', `got ${HEADER.slice(0, 20)}...`, 'got [redacted]'],
    ['the header alone', `header ${HEADER}`, 'header [redacted]'],
    ['the claims alone', `claims ${CLAIMS}`, 'claims [redacted]'],
    ['an encrypted token of five parts', `got ${HEADER}.T0tCT0tC.NDhWNDhW.NWVZNWVZ.WEZ4WEZ4`, 'got [redacted]'],
    ['an encrypted token without a key', `got ${HEADER}..NDhWNDhW.NWVZNWVZ.WEZ4WEZ4`, 'got [redacted]'],
  ])('has %s replaced, known or not', (_, text, expected) => {
    expect(scrub(text)).toBe(expected);
  });

  test.each([
    ['the whole', TOKEN],
    ['the signature alone', SIGNATURE],
    ['the claims alone', CLAIMS],
    ['the signature and a dot', `.${SIGNATURE}.`],
  ])('has a known token replaced, also in part: %s', (_, part) => {
    const clean = scrub(`said ${part} twice ${part}`, [new Secret(TOKEN)]);
    for (const piece of [HEADER, CLAIMS, SIGNATURE]) expect(clean).not.toContain(piece);
    expect(clean.match(/\[redacted\]/g)).toHaveLength(2);
  });

  test.each([TEXT, 'short', 'x', 'a.b', '$&', '.*', '\\'])('has the known secret %j replaced', (value) => {
    expect(scrub(`1${value}2`, [new Secret(value)])).toBe('1[redacted]2');
  });

  test('has each of several secrets replaced', () => {
    const secrets = ['first-secret', 'second-secret'].map((text) => new Secret(text));
    expect(scrub('second-secret, first-secret', secrets)).toBe('[redacted], [redacted]');
  });

  test('is not torn apart by an empty secret', () => {
    expect(scrub('nothing here', [new Secret('')])).toBe('nothing here');
  });

  test.each([
    'AccessDenied: not authorized to perform sts:AssumeRoleWithWebIdentity',
    'arn:aws:iam::111122223333:role/models',
    'spiffe://example.org/team/api',
    'file.name.with.dots and 1.2.3.4',
    'eyJ is how they begin',
    'Hey Jude, heyJ.x.y',
  ])('is left as it is where there is nothing to hide: %j', (text) => {
    expect(scrub(text)).toBe(text);
  });

  test('has no control character, whichever it is', () => {
    for (let code = 0; code < 0x300; code += 1) {
      const control = code < 0x20 || (code >= 0x7f && code < 0xa0);
      const char = String.fromCharCode(code);
      expect(scrub(`a${char}b`)).toBe(control ? 'a b' : `a${char}b`);
    }
    expect(scrub('one\r\n\u001b[31mtwo')).toBe('one [31mtwo');
  });

  test.each([
    [299, 299],
    [300, 300],
    [301, 303],
    [1_000_000, 303],
  ])('of %d characters is %d long', (length, expected) => {
    const clean = scrub('x'.repeat(length));
    expect(clean).toHaveLength(expected);
    expect(clean.endsWith('...')).toBe(length > 300);
  });

  test('is cut after it was cleaned: no secret can lie across the cut', () => {
    const text = `${'x'.repeat(290)} ${TOKEN}`;
    expect(scrub(text)).toBe(`${'x'.repeat(290)} [redacted...`);
    expect(scrub(`${'x'.repeat(5)} ${TEXT}`, [new Secret(TEXT)], 10)).toBe('xxxxx [red...');
  });

  test('never holds a known secret, whatever the text and the secret', () => {
    fc.assert(
      fc.property(anyText(), fc.stringMatching(/^[A-Za-z0-9+/_-]{8,40}$/), anyText(), (before, value, after) => {
        fc.pre(!'[redacted]'.includes(value));
        expect(scrub(`${before}${value}${after}`, [new Secret(value)], 10_000)).not.toContain(value);
      }),
    );
  });

  test('is ready soon, however hostile the text', () => {
    for (const hostile of [
      'eyJ'.repeat(300_000),
      'eyJaaaaaa.'.repeat(100_000),
      '.'.repeat(1_000_000),
      '\n'.repeat(1e6),
    ]) {
      expect(scrub(hostile).length).toBeLessThanOrEqual(303);
    }
  });
});
