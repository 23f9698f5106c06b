import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { credentialLifetime, svidLifetime } from '../../src/credentials/lifetimes.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const NOW = Date.parse('2026-11-22T12:00:00Z');

/** From one millisecond to a month. */
const life = fc.oneof(fc.integer({ min: 1, max: 20 * MINUTE }), fc.integer({ min: 1, max: 30 * 24 * HOUR }));
/** Of a JWT-SVID that was issued as it arrived, or says nothing of when it was issued. */
const fresh = (expiresAt: number, arrivedAt: number) => svidLifetime({ issuedAt: arrivedAt, expiresAt }, arrivedAt);
const unknown = (expiresAt: number, arrivedAt: number) => svidLifetime({ issuedAt: undefined, expiresAt }, arrivedAt);
const lifetimes = [
  ['a JWT-SVID', fresh],
  ['a JWT-SVID without "iat"', unknown],
  ['a credential', credentialLifetime],
] as const;

describe.each(lifetimes)('%s', (_, lifetime) => {
  test('is fresh for some time, then usable for some time, and given up before it expires', () => {
    fc.assert(
      fc.property(life, (ms) => {
        const { freshUntil, usableUntil } = lifetime(NOW + ms, NOW);
        expect(freshUntil).toBeGreaterThan(NOW);
        expect(freshUntil).toBeLessThan(usableUntil);
        expect(usableUntil).toBeLessThan(NOW + ms);
      }),
    );
  });

  test('that expires later serves longer', () => {
    fc.assert(
      fc.property(life, fc.integer({ min: 1, max: HOUR }), (ms, more) => {
        const shorter = lifetime(NOW + ms, NOW);
        const longer = lifetime(NOW + ms + more, NOW);
        expect(longer.freshUntil).toBeGreaterThanOrEqual(shorter.freshUntil);
        expect(longer.usableUntil).toBeGreaterThan(shorter.usableUntil);
      }),
    );
  });

  test('that has expired on arrival is never usable', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 30 * 24 * HOUR }), (ago) => {
        expect(lifetime(NOW - ago, NOW).usableUntil).toBeLessThanOrEqual(NOW);
      }),
    );
  });

  test('is given up ten seconds before its end, or a tenth of its life where that is less', () => {
    expect(lifetime(NOW + HOUR, NOW).usableUntil).toBe(NOW + HOUR - 10 * SECOND);
    expect(lifetime(NOW + 100 * SECOND, NOW).usableUntil).toBe(NOW + 90 * SECOND);
    expect(lifetime(NOW + 20 * SECOND, NOW).usableUntil).toBe(NOW + 18 * SECOND);
  });
});

describe('how long a JWT-SVID is fresh', () => {
  test.each([2 * SECOND, 5 * MINUTE, HOUR])('is half of the life it has left: %d ms', (ms) => {
    expect(fresh(NOW + ms, NOW).freshUntil).toBe(NOW + ms / 2);
    expect(svidLifetime({ issuedAt: NOW - ms, expiresAt: NOW + ms }, NOW).freshUntil).toBe(NOW + ms / 2);
  });
});

describe('when a JWT-SVID is given up', () => {
  test('does not depend on when it arrived: the same one that comes again is given up no later', () => {
    fc.assert(
      fc.property(life, fc.double({ min: 0, max: 1, noNaN: true }), (ms, share) => {
        const svid = { issuedAt: NOW, expiresAt: NOW + ms };
        expect(svidLifetime(svid, NOW + ms * share).usableUntil).toBe(svidLifetime(svid, NOW).usableUntil);
      }),
    );
  });

  test('for one that was issued long ago is ten seconds before its end, which may be now', () => {
    const svid = { issuedAt: NOW - HOUR, expiresAt: NOW + 9 * SECOND };
    expect(svidLifetime(svid, NOW).usableUntil).toBe(NOW - SECOND);
  });

  test('is not put off by an issuer whose clock is ahead', () => {
    const svid = { issuedAt: NOW + 5 * SECOND, expiresAt: NOW + 20 * SECOND };
    expect(svidLifetime(svid, NOW).usableUntil).toBe(NOW + 18 * SECOND);
  });
});

describe('how long a credential is fresh', () => {
  test.each([
    ['15 minutes', 15 * MINUTE, 10 * MINUTE],
    ['50 minutes', 50 * MINUTE, 45 * MINUTE],
    ['one hour: all but a tenth', HOUR, 54 * MINUTE],
    ['12 hours: all but a tenth', 12 * HOUR, 12 * 54 * MINUTE],
    ['ten minutes: half', 10 * MINUTE, 5 * MINUTE],
    ['one minute: half', MINUTE, 30 * SECOND],
  ])('follows from a life of %s', (_, ms, fresh) => {
    expect(credentialLifetime(NOW + ms, NOW).freshUntil).toBe(NOW + fresh);
  });

  // An SDK that is handed less than five minutes asks again on each request (AWS SDK for JavaScript, credential refresh).
  test('a fresh one has at least the five minutes left that an AWS SDK wants, if it lives ten at all', () => {
    fc.assert(
      fc.property(fc.integer({ min: 10 * MINUTE, max: 30 * 24 * HOUR }), (ms) => {
        expect(NOW + ms - credentialLifetime(NOW + ms, NOW).freshUntil).toBeGreaterThanOrEqual(5 * MINUTE);
      }),
    );
  });
});
