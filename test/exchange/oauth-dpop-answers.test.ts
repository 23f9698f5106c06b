import { decodeJwt, decodeProtectedHeader } from 'jose';
import { describe, expect, test } from 'vitest';
import { createMemoryLog } from '../fakes/log.ts';
import { bound, keyOf } from '../support/dpop.ts';
import { refusal } from '../support/errors.ts';
import { ACCESS_TOKEN, exchangeOAuth, json, oauthError, startScriptedOAuth, tokenAnswer } from '../support/oauth.ts';
import { errorText, expectNoSecrets } from '../support/secrets.ts';

describe('a server that answers in its own way', () => {
  const dpopAnswer = tokenAnswer({ token_type: 'DPoP' });

  async function exchangeAgainst(onToken: (proof: string, count: number) => ReturnType<typeof json>) {
    const server = await startScriptedOAuth();
    server.onToken = ({ headers }) => onToken(String(headers['dpop'] ?? ''), server.tokens.all.length);
    return exchangeOAuth(server, { grant: { dpop: true } });
  }

  test.each(['DPoP', 'dpop', 'DPOP'])('with a good token of type %s', async (token_type) => {
    const { running } = await exchangeAgainst(() => tokenAnswer({ token_type }));
    const credentials = bound(await running);
    expect([credentials.tokenType, credentials.token.reveal()]).toEqual(['DPoP', ACCESS_TOKEN]);
  });

  test.each([
    ['in the body, with 400', oauthError(400, 'use_dpop_nonce', 'wants one')],
    ['in a challenge, with 401', json(401, {}, { 'WWW-Authenticate': 'DPoP error="use_dpop_nonce"' })],
  ])('with a demand for a nonce %s gets it', async (_, demand) => {
    const { running, server, waits } = await exchangeAgainst((proof) =>
      decodeJwt(proof)['nonce'] === 'a-nonce'
        ? dpopAnswer
        : { ...demand, headers: { ...demand.headers, 'DPoP-Nonce': 'a-nonce' } },
    );
    expect(bound(await running).tokenType).toBe('DPoP');
    expect([server.tokens.all.length, waits]).toEqual([2, []]);
  });

  test.each([
    ['without one', {}],
    ['with one that it does not take', { 'DPoP-Nonce': 'a-nonce' }],
  ])('with a demand for a nonce again and again, %s, is asked twice', async (_, headers) => {
    const { running, server, token } = await exchangeAgainst(() => json(400, { error: 'use_dpop_nonce' }, headers));
    const error = await refusal(running);
    expect(error).toMatchObject({ code: 'exchange_request_rejected', detail: 'HTTP 400, use_dpop_nonce' });
    expect(server.tokens.all).toHaveLength(2);
    expectNoSecrets(errorText(error), [token]);
  });

  test('with trouble first is asked again, with a proof and a key of that attempt', async () => {
    const proofs: string[] = [];
    const { running } = await exchangeAgainst((proof, count) => {
      proofs.push(proof);
      return count === 1 ? json(503, {}) : dpopAnswer;
    });
    const { x } = keyOf(await running);
    expect(proofs).toHaveLength(2);
    expect(proofs.map((proof) => decodeProtectedHeader(proof)['jwk'])).toEqual([
      expect.not.objectContaining({ x }),
      expect.objectContaining({ x }),
    ]);
  });

  test.each([
    ['Bearer', 'exchange_response_invalid'],
    ['bearer', 'exchange_response_invalid'],
    ['N_A', 'exchange_response_invalid'],
    ['mac', 'exchange_response_invalid'],
    ['', 'exchange_response_invalid'],
  ])('with a token of type %j is refused', async (token_type, code) => {
    const { running, server, token } = await exchangeAgainst(() => tokenAnswer({ token_type }));
    const error = await refusal(running);
    expect(error.code).toBe(code);
    expect(server.tokens.all).toHaveLength(1);
    expectNoSecrets(errorText(error), [token, ACCESS_TOKEN]);
  });

  test('by repeating our proof, leaks nothing of it', async () => {
    const { running, server } = await exchangeAgainst((proof) => oauthError(400, 'invalid_dpop_proof', proof));
    const error = await refusal(running);
    const log = createMemoryLog();
    log.logger.error({ error }, 'exchange failed');
    const [proof] = server.tokens.all.map(({ headers }) => String(headers['dpop']));
    expect(proof).toMatch(/^eyJ/);
    expectNoSecrets([errorText(error), ...log.lines], [proof ?? '']);
  });
});
