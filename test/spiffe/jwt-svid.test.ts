import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_TOKEN_LENGTH, parseJwtSvidUnverified } from '../../src/spiffe/jwt-svid.ts';
import { anyText } from '../support/any-text.ts';
import { refusal, refusalCode } from '../support/errors.ts';
import { expectNoSecrets } from '../support/secrets.ts';

const GOOD_HEADER = { alg: 'ES256', kid: 'k1', typ: 'JWT' };
const GOOD_CLAIMS = { sub: 'spiffe://example.org/api', aud: ['a', 'b'], exp: 2_000_000_000, iat: 1_700_000_000.5 };
const SIGNATURE = 'c2lnbmF0dXJl';

function encode(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}

/** A token with a signature that nobody made: what is not verified need not be signed. */
function token(header: unknown = GOOD_HEADER, claims: unknown = GOOD_CLAIMS, signature = SIGNATURE): string {
  return `${encode(header)}.${encode(claims)}.${signature}`;
}

describe('what a token says', () => {
  test('is all there, times in milliseconds', () => {
    const svid = parseJwtSvidUnverified(token());
    expect(svid.token.reveal()).toBe(token());
    expect(svid.sha256).toBe(createHash('sha256').update(token()).digest('hex'));
    expect(svid.spiffeId.toString()).toBe('spiffe://example.org/api');
    expect(svid).toMatchObject({
      audience: ['a', 'b'],
      expiresAt: 2_000_000_000_000,
      issuedAt: 1_700_000_000_500,
      algorithm: 'ES256',
      keyId: 'k1',
      claims: GOOD_CLAIMS,
    });
  });

  test('is undefined where it says nothing', () => {
    const { iat: _, ...claims } = GOOD_CLAIMS;
    const svid = parseJwtSvidUnverified(token({ alg: 'RS256' }, claims));
    expect(svid).toMatchObject({ keyId: undefined, issuedAt: undefined, algorithm: 'RS256' });
  });

  test('is a list of audiences also where it is one text', () => {
    expect(parseJwtSvidUnverified(token(GOOD_HEADER, { ...GOOD_CLAIMS, aud: 'a' })).audience).toEqual(['a']);
  });

  test('cannot be changed', () => {
    const svid = parseJwtSvidUnverified(token());
    expect([svid, svid.audience, svid.claims, svid.spiffeId].map((value) => Object.isFrozen(value))).toEqual([
      true,
      true,
      true,
      true,
    ]);
  });

  test('has no token in it when it is printed', () => {
    const svid = parseJwtSvidUnverified(token());
    expectNoSecrets([inspect(svid, { depth: 9, showHidden: true }), JSON.stringify(svid), `${svid.token}`], [token()]);
    expect(JSON.stringify(svid)).toContain('"token":"[redacted]"');
  });
});

describe('the length of a token', () => {
  test(`may be ${MAX_TOKEN_LENGTH} characters and no more`, async () => {
    // White space in the header, until a signature of whole groups of four fills up the rest.
    const exact = ['', ' ', '  ', '   ']
      .map((space) => token(`${JSON.stringify(GOOD_HEADER)}${space}`, GOOD_CLAIMS, ''))
      .filter((unsigned) => (MAX_TOKEN_LENGTH - unsigned.length) % 4 === 0)
      .map((unsigned) => unsigned.padEnd(MAX_TOKEN_LENGTH, 'A'))[0];
    expect(parseJwtSvidUnverified(exact ?? '').token.reveal()).toHaveLength(MAX_TOKEN_LENGTH);
    const error = await refusal(() => parseJwtSvidUnverified(`${exact}A`));
    expect(error).toMatchObject({ code: 'token_malformed', message: 'the token is longer than 20000 characters' });
  });

  test('is looked at before anything else', async () => {
    const error = await refusal(() => parseJwtSvidUnverified('.'.repeat(50_000_000)));
    expect(error.message).toBe('the token is longer than 20000 characters');
  });

  test.each([
    ['dots', '.'.repeat(MAX_TOKEN_LENGTH)],
    ['opening brackets', token(GOOD_HEADER, '['.repeat(10_000))],
    ['brackets within brackets', token(GOOD_HEADER, `${'['.repeat(5000)}${']'.repeat(5000)}`)],
    ['objects within objects', token('{"a":'.repeat(2000) + 1 + '}'.repeat(2000), GOOD_CLAIMS)],
  ])('does no harm in %s', async (_, hostile) => {
    expect(await refusalCode(() => parseJwtSvidUnverified(hostile))).toBe('token_malformed');
  });
});

test('what is wrong with a subject is told without quoting all of it', async () => {
  const sub = `spiffe://example.org/${'x'.repeat(1000)} \n`;
  const error = await refusal(() => parseJwtSvidUnverified(token(GOOD_HEADER, { ...GOOD_CLAIMS, sub })));
  expect(error.message).toMatch(/^the token has a "sub" that is not valid: .{1,120}$/);
});

describe('base64url', () => {
  test('has 64 characters, and no other stands in any part of a token', async () => {
    const alphabet = /^[A-Za-z0-9_-]$/;
    const wrong: string[] = [];
    for (let code = 0; code < 300; code += 1) {
      const char = String.fromCharCode(code);
      // Groups of four keep every bit of each character.
      const signed = `${encode(GOOD_HEADER)}.${encode(GOOD_CLAIMS)}.AAA${char}`;
      const accepted = await isRead(signed);
      if (accepted !== alphabet.test(char)) wrong.push(char);
    }
    expect(wrong).toEqual([]);
  });

  test('writes no two texts for the same bytes', async () => {
    const texts = fc.string({
      unit: fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'),
    });
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        const canonical = text !== '' && Buffer.from(text, 'base64url').toString('base64url') === text;
        expect(await isRead(token(GOOD_HEADER, GOOD_CLAIMS, text))).toBe(canonical);
      }),
    );
  });
});

describe('any text at all', () => {
  test('is a token, or refused with token_malformed and not quoted', async () => {
    const values = fc.oneof(fc.jsonValue(), fc.constantFrom('ES256', 'JWT', 0, 'spiffe://example.org/api'));
    const members = (names: readonly string[]) => fc.dictionary(fc.constantFrom(...names), values);
    const texts = fc.oneof(
      anyText(),
      fc.array(anyText({ maxLength: 10 }), { maxLength: 6 }).map((parts) => parts.join('.')),
      fc
        .tuple(members(['alg', 'kid', 'typ', 'crit', '__proto__']), members(['sub', 'aud', 'exp', 'nbf', 'iat', 'x']))
        .map(([header, claims]) => token({ ...GOOD_HEADER, ...header }, { ...GOOD_CLAIMS, ...claims })),
    );
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        if (await isRead(text)) return;
        const error = await refusal(() => parseJwtSvidUnverified(text));
        expect(error.code).toBe('token_malformed');
        for (const part of text.split('.').filter(({ length }) => length > 12))
          expect(error.message).not.toContain(part);
      }),
      { numRuns: 500 },
    );
  });

  test('that differs from a token in one character is another token or none', async () => {
    const good = token();
    const place = fc.tuple(fc.nat({ max: good.length - 1 }), anyText({ minLength: 1, maxLength: 1 }));
    await fc.assert(
      fc.asyncProperty(place, async ([index, char]) => {
        fc.pre(good[index] !== char);
        const changed = good.slice(0, index) + char + good.slice(index + 1);
        if (!(await isRead(changed))) return;
        expect(parseJwtSvidUnverified(changed).sha256).not.toBe(parseJwtSvidUnverified(good).sha256);
      }),
      { numRuns: 500 },
    );
  });
});

/** True for a token, false for what is refused as malformed; anything else fails the test. */
async function isRead(text: string): Promise<boolean> {
  try {
    expect(parseJwtSvidUnverified(text).token.reveal()).toBe(text);
    return true;
  } catch (error) {
    expect(await refusalCode(Promise.reject(error))).toBe('token_malformed');
    return false;
  }
}
