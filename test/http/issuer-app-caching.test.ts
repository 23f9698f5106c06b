import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { startIssuer } from '../support/issuer.ts';
import { makeKey, type TestKey } from '../support/jwk.ts';

const DISCOVERY = '/.well-known/openid-configuration';
const KEYS = '/keys';
const url = 'https://oidc.example.org';

let first: TestKey;
let second: TestKey;

beforeAll(async () => {
  [first, second] = await Promise.all([makeKey('ES256', 'first'), makeKey('ES384', 'second')]);
});

/** The entity tags of both documents. */
async function etags(issuer: Awaited<ReturnType<typeof startIssuer>>): Promise<string[]> {
  const answers = [await issuer.ask({ path: DISCOVERY }), await issuer.ask({ path: KEYS })];
  return answers.map(({ headers }) => headers.etag ?? 'none');
}

describe('the entity tag', () => {
  test('is a strong one, different for each document, and the same while nothing changes', async () => {
    const issuer = await startIssuer({ keys: [first.jwk], url });
    const tags = await etags(issuer);
    for (const tag of tags) expect(tag).toMatch(/^"[A-Za-z0-9_-]{43}"$/);
    expect(new Set(tags).size).toBe(2);
    expect(await etags(issuer)).toEqual(tags);
  });

  test('changes at once with the keys', async () => {
    const issuer = await startIssuer({ keys: [first.jwk], url });
    const before = await etags(issuer);
    issuer.bundles.set([first.jwk, second.jwk]);
    const after = await etags(issuer);
    expect(after[0]).not.toBe(before[0]);
    expect(after[1]).not.toBe(before[1]);
    expect((await issuer.ask({ path: KEYS })).text).toContain('"kid":"second"');
  });

  test('stays where only the other document changed', async () => {
    const sameAlgorithm = await makeKey('ES256', 'third');
    const issuer = await startIssuer({ keys: [first.jwk], url });
    const before = await etags(issuer);
    issuer.bundles.set([first.jwk, sameAlgorithm.jwk]);
    const after = await etags(issuer);
    expect(after[0]).toBe(before[0]);
    expect(after[1]).not.toBe(before[1]);
  });

  test('stays when the same keys come again, in whatever order', async () => {
    const issuer = await startIssuer({ keys: [first.jwk, second.jwk], url });
    const before = await etags(issuer);
    issuer.bundles.set([second.jwk, first.jwk]);
    expect(await etags(issuer)).toEqual(before);
  });

  test('is the same in two services with the same keys, so that a load balancer may stand in front', async () => {
    const [a, b] = [await startIssuer({ keys: [first.jwk], url }), await startIssuer({ keys: [first.jwk], url })];
    expect(await etags(a)).toEqual(await etags(b));
  });
});

describe('a conditional request', () => {
  const fits: readonly (readonly [string, (tag: string) => string])[] = [
    ['the tag', (tag) => tag],
    ['the tag as a weak one', (tag) => `W/${tag}`],
    ['a list with the tag last', (tag) => `"other", ${tag}`],
    ['a list with the tag first and no spaces', (tag) => `${tag},"other"`],
    ['a list with empty elements', (tag) => `, ,${tag} ,`],
    ['anything', () => '*'],
    ['spaces around the tag', (tag) => `  ${tag}  `],
  ];

  test.each(fits)('with %s is answered 304 without a body', async (_, header) => {
    const { ask } = await startIssuer({ keys: [first.jwk], url });
    for (const path of [DISCOVERY, KEYS, `${KEYS}?query`]) {
      const { headers: full } = await ask({ path });
      for (const method of ['GET', 'HEAD']) {
        const answer = await ask({ method, path, headers: { 'If-None-Match': header(full.etag ?? '') } });
        expect(answer).toMatchObject({ status: 304, text: '' });
        // RFC 9110 section 15.4.5: what a 200 would have said of caching, and nothing of a body.
        expect(answer.headers).toMatchObject({
          etag: full.etag,
          'cache-control': 'public, max-age=300',
          'access-control-allow-origin': '*',
        });
        expect(answer.headers).not.toHaveProperty('content-type');
        expect(answer.headers).not.toHaveProperty('content-length');
        expect(answer.headers).not.toHaveProperty('transfer-encoding');
      }
    }
  });

  const misses: readonly (readonly [string, (tag: string) => string])[] = [
    ['another tag', () => '"other"'],
    ['the tag without quotes', (tag) => tag.slice(1, -1)],
    ['the tag in other quotes', (tag) => tag.replaceAll('"', "'")],
    ['the tag in upper case', (tag) => tag.toUpperCase()],
    ['the tag with a lower-case weakness', (tag) => `w/${tag}`],
    ['half of the tag', (tag) => `${tag.slice(0, 20)}"`],
    ['nothing', () => ''],
    ['a star in quotes', () => '"*"'],
    ['a star inside a list, which is not "anything"', () => '"a", *, "b"'],
    ['a tag that has a star between commas', () => '"a,*,b"'],
  ];

  test.each(misses)('with %s is answered in full', async (_, header) => {
    const { ask } = await startIssuer({ keys: [first.jwk], url });
    const { headers: full, text } = await ask({ path: KEYS });
    const answer = await ask({ path: KEYS, headers: { 'If-None-Match': header(full.etag ?? '') } });
    expect(answer).toMatchObject({ status: 200, text });
  });

  test('with the tag of the other document is answered in full', async () => {
    const issuer = await startIssuer({ keys: [first.jwk], url });
    const [ofDiscovery = ''] = await etags(issuer);
    expect((await issuer.ask({ path: KEYS, headers: { 'If-None-Match': ofDiscovery } })).status).toBe(200);
  });

  test('with the tag of before a change is answered in full', async () => {
    const issuer = await startIssuer({ keys: [first.jwk], url });
    const [, before = ''] = await etags(issuer);
    issuer.bundles.set([second.jwk]);
    const answer = await issuer.ask({ path: KEYS, headers: { 'If-None-Match': before } });
    expect(answer.status).toBe(200);
    expect(answer.text).toContain('"kid":"second"');
  });

  test('does not hide that there is no key, that the method is wrong or that the path is', async () => {
    const { ask, bundles } = await startIssuer({ url });
    const headers = { 'If-None-Match': '*' };
    expect((await ask({ path: KEYS, headers })).status).toBe(503);
    bundles.set([first.jwk]);
    expect((await ask({ method: 'POST', path: KEYS, headers })).status).toBe(405);
    expect((await ask({ path: '/', headers })).status).toBe(404);
  });

  test('with any other text is answered in full', async () => {
    const { ask } = await startIssuer({ keys: [first.jwk], url });
    const headerText = fc.string({ unit: fc.constantFrom('"', ',', ' ', 'W', '/', 'a', '\\', '-', '\t') });
    await fc.assert(
      fc.asyncProperty(headerText, async (text) => {
        const { status } = await ask({ path: KEYS, headers: { 'If-None-Match': text } });
        expect(status).toBe(200);
      }),
      { numRuns: 50 },
    );
  });
});
