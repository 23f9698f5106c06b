import { decodeJwt } from 'jose';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { createWorkloadApi } from '../../src/identity/workload-api/api.ts';
import { createWorkloadJwtBundleSource } from '../../src/identity/workload-api/jwt-bundle-source.ts';
import { verifyJwtSvid } from '../../src/spiffe/jwt-svid.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { createMemoryLog } from '../fakes/log.ts';
import { createRawWorkload, type RawWorkload } from '../support/raw-workload.ts';
import { until } from '../support/until.ts';
import { PROPAGATION } from './world.ts';

/** A workload with one identity, `spiffe://example.org/team/api`, that may have any of `AUDIENCE`. */
export interface ContractWorkload {
  /** As `SPIFFE_ENDPOINT_SOCKET` has it. */
  readonly endpoint: string;
  readonly jwtIssuer: string;
  /** Adds a key to the bundle, and gives its ID. */
  prepare(): Promise<string>;
  /** Takes the identity away, for good. Resolves when it is so at the source. */
  remove(): Promise<void>;
}

const API_ID = 'spiffe://example.org/team/api';
const AUDIENCE = ['sts.amazonaws.com', 'other.example.org'] as const;
const NO_IDENTITY = { code: 7, details: 'no identity issued' };
const NO_AUDIENCE = { code: 3, details: 'audience must be specified' };
const NO_HEADER = { code: 3, details: 'security header missing from request' };

/**
 * What SPIRE's Workload API does in the JWT-SVID profile, as a description that the real one and ours are held against, with
 * the same codes and, where SPIRE's words are its contract, the same words.
 *
 * What ours does otherwise, on purpose, is not in it: a blank audience is refused, alone (SPIRE 1.16: Unavailable, after half a
 * minute) and among others (SPIRE drops it); audiences that are there twice are one; who has no identity may not validate
 * either; X.509-SVIDs and WIT-SVIDs are Unimplemented; a request has 64 KiB at most.
 * @param open gives a workload, whose end the test or the one who opened it sees to
 */
export function describeWorkloadApi(name: string, open: () => Promise<ContractWorkload>): void {
  async function connect(): Promise<{ api: RawWorkload; workload: ContractWorkload }> {
    const workload = await open();
    return { api: createRawWorkload(workload.endpoint), workload };
  }

  async function tokenOf(api: RawWorkload): Promise<string> {
    const [svid] = svidsOf(await api.call('FetchJWTSVID', { audience: AUDIENCE }));
    return svid?.svid ?? '';
  }

  describe(`the Workload API of ${name}`, () => {
    test.each<[string, object]>([
      ['nothing more', {}],
      ['an empty ID', { spiffe_id: '' }],
      ['its own ID', { spiffe_id: API_ID }],
    ])('gives the workload its one JWT-SVID, asked for with %s', async (_, more) => {
      const { api, workload } = await connect();
      const svids = svidsOf(await api.call('FetchJWTSVID', { audience: AUDIENCE, ...more }));
      expect(svids).toEqual([{ spiffe_id: API_ID, svid: expect.any(String), hint: '' }]);
      const claims = decodeJwt(svids[0]?.svid ?? '');
      expect(claims).toMatchObject({ sub: API_ID, aud: AUDIENCE, iss: workload.jwtIssuer });
      expect(Object.keys(claims).toSorted()).toEqual(['aud', 'exp', 'iat', 'iss', 'sub']);
    });

    test.each<[string, object, object]>([
      ['no audience', { audience: [] }, NO_AUDIENCE],
      ["somebody else's ID", { spiffe_id: 'spiffe://example.org/team/ledger' }, NO_IDENTITY],
      ['an ID in another case', { spiffe_id: 'spiffe://example.org/team/API' }, NO_IDENTITY],
      ['an ID below its own', { spiffe_id: `${API_ID}/x` }, NO_IDENTITY],
      ['an ID of another trust domain', { spiffe_id: 'spiffe://other.example/team/api' }, NO_IDENTITY],
      ['an ID without a scheme', { spiffe_id: 'api' }, { code: 3 }],
      ['an ID with a slash at its end', { spiffe_id: `${API_ID}/` }, { code: 3 }],
    ])('refuses %s', async (_, change, expected) => {
      const { api } = await connect();
      expect(await api.call('FetchJWTSVID', { audience: AUDIENCE, ...change })).toMatchObject(expected);
    });

    test.each([
      ['is missing', []],
      ['is there twice', ['true', 'true']],
      ['has another value', ['false']],
      ['has another case', ['True']],
      ['is empty', ['']],
      ['has more in it', ['true, true']],
    ])('refuses each call whose security header %s, before it looks at anything else', async (_, headers) => {
      const { api } = await connect();
      expect(await api.call('FetchJWTSVID', {}, headers)).toEqual(NO_HEADER);
      expect(await api.call('ValidateJWTSVID', {}, headers)).toEqual(NO_HEADER);
      expect(await api.subscribe(headers).next()).toEqual(NO_HEADER);
    });

    test('validates its own token, for each of its audiences, and tells the claims', async () => {
      const { api, workload } = await connect();
      const svid = await tokenOf(api);
      const { exp, iat } = decodeJwt(svid);
      for (const audience of AUDIENCE) {
        expect(await api.call('ValidateJWTSVID', { audience, svid })).toEqual({
          spiffe_id: API_ID,
          claims: {
            fields: {
              sub: { stringValue: API_ID },
              aud: { listValue: { values: AUDIENCE.map((stringValue) => ({ stringValue })) } },
              iss: { stringValue: workload.jwtIssuer },
              exp: { numberValue: exp },
              iat: { numberValue: iat },
            },
          },
        });
      }
    });

    test.each<[string, (svid: string) => object, object]>([
      ['no audience', (svid) => ({ audience: '', svid }), NO_AUDIENCE],
      ['no token', () => ({ audience: 'a', svid: '' }), { code: 3, details: 'svid must be specified' }],
      ['nothing', () => ({}), NO_AUDIENCE],
      ['a token for others', (svid) => ({ audience: 'else', svid }), { code: 3 }],
      ['an audience in another case', (svid) => ({ audience: 'STS.amazonaws.com', svid }), { code: 3 }],
      ['what is no token', () => ({ audience: AUDIENCE[0], svid: 'x' }), { code: 3 }],
      ['a token that nobody signed', (svid) => good(withHeader(svid, { alg: 'none' }, '')), { code: 3 }],
      ['a token of an unknown key', (svid) => good(withHeader(svid, { kid: 'nobody' })), { code: 3 }],
      ['a token of another trust domain', (svid) => good(withClaims(svid, 'spiffe://other.example/x')), { code: 3 }],
      ['a token with another subject', (svid) => good(withClaims(svid, 'spiffe://example.org/x')), { code: 3 }],
    ])('refuses to validate %s', async (_, request, expected) => {
      const { api } = await connect();
      const svid = await tokenOf(api);
      const refused = await api.call('ValidateJWTSVID', request(svid));
      expect(refused).toMatchObject(expected);
      // Control.
      expect(await api.call('ValidateJWTSVID', good(svid))).toMatchObject({ spiffe_id: API_ID });
    });

    test('has no other methods, and survives what is no message', async () => {
      const { api } = await connect();
      for (const path of ['/SpiffeWorkloadAPI/Nope', '/no.such.Service/FetchJWTSVID']) {
        expect(await api.callBytes(path, Buffer.alloc(0))).toMatchObject({ code: 12 });
      }
      const bytes = Buffer.from([0xff, 0xff, 0xff]);
      expect(await api.callBytes('/SpiffeWorkloadAPI/FetchJWTSVID', bytes)).toMatchObject({ code: 13 });
      expect(await tokenOf(api)).toMatch(/^eyJ/);
    });

    test('sends plain keys at once, and all of them again when there is a new one', async () => {
      const { api, workload } = await connect();
      const stream = api.subscribe();
      const first = keysOf(await stream.next());
      expect(first.length).toBeGreaterThan(0);
      for (const key of first) expect(Object.keys(key).toSorted()).toEqual(['crv', 'kid', 'kty', 'x', 'y']);
      const added = await workload.prepare();
      const idsOf = (keys: readonly { kid: string }[]) => keys.map(({ kid }) => kid);
      const second = keysOf(await stream.next());
      expect(idsOf(second).toSorted()).toEqual([...idsOf(first), added].toSorted());
    });

    test('is understood by our own client of keys, which verifies its tokens with them', async () => {
      const { api, workload } = await connect();
      const trustDomain = TrustDomain.parse('example.org');
      const source = createWorkloadJwtBundleSource({
        api: createWorkloadApi(workload.endpoint),
        trustDomain,
        clock: systemClock,
        random: () => 0.5,
        logger: createMemoryLog().logger,
        timeoutMs: 5_000,
      });
      onTestFinished(source.close);
      await until(
        'the keys',
        async () => source.get(trustDomain),
        (bundle) => bundle !== undefined,
        PROPAGATION,
      );
      const options = { bundles: source, now: Date.now(), leewaySeconds: 5 };
      const svid = await verifyJwtSvid(await tokenOf(api), { ...options, audience: [AUDIENCE[0]] });
      expect(svid.spiffeId.toString()).toBe(API_ID);
      const added = await workload.prepare();
      const ids = async () => source.get(trustDomain)?.authorities.map(({ keyId }) => keyId) ?? [];
      await until('the new key', ids, (seen) => seen.includes(added), PROPAGATION);
    });

    // The last one: who has lost its identity does not get it back here.
    test('has no identity and no keys for a workload that has lost its own', { timeout: 30_000 }, async () => {
      const { api, workload } = await connect();
      await workload.remove();
      const ask = () => api.call('FetchJWTSVID', { audience: AUDIENCE });
      await until('the refusal', ask, (seen) => 'code' in seen, PROPAGATION);
      expect(await ask()).toEqual(NO_IDENTITY);
      expect(await api.subscribe().next()).toEqual(NO_IDENTITY);
    });
  });
}

function good(svid: string): object {
  return { audience: AUDIENCE[0], svid };
}

function svidsOf(answer: object): { spiffe_id: string; svid: string; hint: string }[] {
  if (!('svids' in answer) || !Array.isArray(answer.svids)) throw new Error(`refused: ${JSON.stringify(answer)}`);
  return answer.svids;
}

function keysOf(message: object): { kid: string }[] {
  expect(Object.keys(message)).toEqual(['spiffe://example.org']);
  return Object.values(message)[0].keys;
}

/** The token with another header; and its own signature, where nothing else is said. */
function withHeader(token: string, changes: object, signature = token.split('.')[2]): string {
  const [header = '', payload = ''] = token.split('.');
  return [encode({ ...decode(header), ...changes }), payload, signature].join('.');
}

function withClaims(token: string, sub: string): string {
  const [header = '', payload = '', signature = ''] = token.split('.');
  return [header, encode({ ...decode(payload), sub }), signature].join('.');
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decode(text: string): object {
  return JSON.parse(Buffer.from(text, 'base64url').toString());
}
