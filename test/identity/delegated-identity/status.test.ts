import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../../src/base/errors.ts';
import { createFakeClock } from '../../fakes/clock.ts';
import { type ScriptedAgent, startScriptedAgent } from '../../fakes/scripted-agent.ts';
import { startFakeSpire } from '../../fakes/trust-domain.ts';
import { API, connectSvidSource, unaborted } from '../../support/delegated-identity.ts';
import { refusal } from '../../support/errors.ts';

const NO_IDENTITY = 'no identity issued';
const NOT_A_DELEGATE = 'caller not configured as an authorized delegate';

const REFUSED = 'the SPIRE agent refused the request';
const UNAVAILABLE = 'the SPIRE agent cannot be reached or cannot get the JWT-SVID';
const LATE = 'the SPIRE agent did not answer in time';
const WRONG_SOCKET = "the socket does not serve SPIRE's Delegated Identity API; expected the agent's admin socket";
const NOT_FOUND =
  'SPIRE has no registration entry for the selectors of this component, or the entry has not reached the agent yet';
const NOT_ACCEPTED =
  'the SPIRE agent does not accept this service as a delegate: it needs a registration entry, and its SPIFFE ID among authorized_delegates';

async function fetchFrom(agent: ScriptedAgent) {
  return await refusal(connectSvidSource(agent.socketPath).fetchJwtSvid(API, ['a.example.org'], unaborted()));
}

/** What a real agent was seen to answer (pkg/agent/api/delegatedidentity/v1/service.go), apart from PermissionDenied. */
const ROWS: readonly (readonly [status, string, ErrorCode, string])[] = [
  [status.INVALID_ARGUMENT, 'audience must be specified', 'identity_request_rejected', REFUSED],
  [
    status.INVALID_ARGUMENT,
    'must provide either selectors or non-zero PID, but not both',
    'identity_request_rejected',
    REFUSED,
  ],
  [status.INVALID_ARGUMENT, 'could not parse provided selectors', 'identity_request_rejected', REFUSED],
  [status.INVALID_ARGUMENT, 'invalid requested SPIFFE ID: trust domain', 'identity_request_rejected', REFUSED],
  [status.UNAVAILABLE, 'workload attestation failed', 'identity_unavailable', UNAVAILABLE],
  [status.UNAVAILABLE, 'could not fetch JWT-SVID: failed to fetch JWT SVID', 'identity_unavailable', UNAVAILABLE],
  [status.INTERNAL, 'could not serialize response', 'identity_unavailable', UNAVAILABLE],
  [status.DEADLINE_EXCEEDED, 'context deadline exceeded', 'identity_unavailable', LATE],
  [status.CANCELLED, 'context canceled', 'identity_unavailable', LATE],
  [
    status.UNIMPLEMENTED,
    'unknown service spire.api.agent.delegatedidentity.v1.DelegatedIdentity',
    'identity_request_rejected',
    WRONG_SOCKET,
  ],
];

describe('each answer of the agent has its own meaning', () => {
  test.each(ROWS)('status %i "%s" is %s', async (code, said, expected, message) => {
    const agent = await startScriptedAgent();
    agent.onFetch = () => ({ code, message: said });
    const error = await fetchFrom(agent);
    expect(error).toMatchObject({ code: expected, message, detail: `gRPC ${status[code]}: ${said}` });
    expect(agent.streams.all).toEqual([]);
  });

  test('no status of gRPC is left without a meaning, not even one that does not exist', async () => {
    const agent = await startScriptedAgent();
    const meanings: [number, string][] = [];
    for (const code of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 99]) {
      agent.onFetch = () => ({ code, message: NOT_A_DELEGATE });
      meanings.push([code, (await fetchFrom(agent)).code]);
    }
    const special = new Map([
      [status.INVALID_ARGUMENT, 'identity_request_rejected'],
      [status.PERMISSION_DENIED, 'identity_delegate_unauthorized'],
      [status.UNIMPLEMENTED, 'identity_request_rejected'],
    ]);
    expect(meanings).toEqual(meanings.map(([code]) => [code, special.get(code) ?? 'identity_unavailable']));
  });

  test('what the agent says goes to the detail without control characters, without tokens, and not at any length', async () => {
    const agent = await startScriptedAgent();
    const token = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJzcGlmZmU6Ly9hIn0.c2lnbmF0dXJl';
    agent.onFetch = () => ({ code: status.UNAVAILABLE, message: `no\r\n\u001b[31m ${token} ${'x'.repeat(5000)}` });
    const { detail } = await fetchFrom(agent);
    expect(detail).toMatch(/^gRPC UNAVAILABLE: no \[31m \[redacted\] x+\.\.\.$/);
    expect(detail?.length).toBeLessThan(310);
  });
});

describe('PermissionDenied has two meanings', () => {
  test('"not configured as a delegate" is about this service, and needs no further question', async () => {
    const agent = await startScriptedAgent();
    agent.onFetch = () => ({ code: status.PERMISSION_DENIED, message: NOT_A_DELEGATE });
    expect(await fetchFrom(agent)).toMatchObject({ code: 'identity_delegate_unauthorized', message: NOT_ACCEPTED });
    expect(agent.streams.all).toEqual([]);
  });

  test('"no identity issued" is about the component when the agent serves this service otherwise', async () => {
    const agent = await startScriptedAgent();
    agent.onFetch = () => ({ code: status.PERMISSION_DENIED, message: NO_IDENTITY });
    agent.onStream = (stream) => stream.send({ 'spiffe://example.org': '{"keys":[]}' });
    const error = await fetchFrom(agent);
    expect(error).toMatchObject({ code: 'identity_not_found', message: NOT_FOUND });
    expect(error.detail).toBe('gRPC PERMISSION_DENIED: no identity issued');
    await (await agent.streams.next()).cancelled;
  });

  test.each([NO_IDENTITY, NOT_A_DELEGATE, 'another text'])(
    '"no identity issued" is about this service when the bundle stream is denied with "%s" too',
    async (said) => {
      const agent = await startScriptedAgent();
      agent.onFetch = () => ({ code: status.PERMISSION_DENIED, message: NO_IDENTITY });
      agent.onStream = (stream) => stream.fail(status.PERMISSION_DENIED, said);
      expect(await fetchFrom(agent)).toMatchObject({
        code: 'identity_delegate_unauthorized',
        message: NOT_ACCEPTED,
        detail: 'this service itself has no identity at the agent',
      });
    },
  );

  test.each([
    ['fails otherwise', (agent: ScriptedAgent) => (agent.onStream = (stream) => stream.fail(status.UNAVAILABLE, 'x'))],
    ['ends in good order', (agent: ScriptedAgent) => (agent.onStream = (stream) => stream.end())],
    ['is unreadable', (agent: ScriptedAgent) => (agent.onStream = (stream) => stream.sendBytes(Buffer.of(255)))],
  ])('a bundle stream that %s proves nothing against this service', async (_, script) => {
    const agent = await startScriptedAgent();
    agent.onFetch = () => ({ code: status.PERMISSION_DENIED, message: NO_IDENTITY });
    script(agent);
    expect((await fetchFrom(agent)).code).toBe('identity_not_found');
  });

  test('a silent bundle stream is not waited for beyond the time limit, and is cancelled', async () => {
    const agent = await startScriptedAgent();
    agent.onFetch = () => ({ code: status.PERMISSION_DENIED, message: NO_IDENTITY });
    const clock = createFakeClock();
    const source = connectSvidSource(agent.socketPath, { clock, timeoutMs: 3_000 });
    const refused = refusal(source.fetchJwtSvid(API, ['a.example.org'], unaborted()));
    const stream = await agent.streams.next();
    await clock.advance(3_000);
    expect((await refused).code).toBe('identity_not_found');
    await stream.cancelled;
    expect(clock.timers).toBe(0);
  });

  test('whoever gives up while the bundle stream is asked is let go at once', async () => {
    const agent = await startScriptedAgent();
    agent.onFetch = () => ({ code: status.PERMISSION_DENIED, message: NO_IDENTITY });
    const clock = createFakeClock();
    const abort = new AbortController();
    const source = connectSvidSource(agent.socketPath, { clock });
    const waiting = source.fetchJwtSvid(API, ['a.example.org'], abort.signal);
    const stream = await agent.streams.next();
    const reason = new Error('given up');
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await stream.cancelled;
    expect(clock.timers).toBe(0);
  });

  test('the embedded agent, which answers as SPIRE does, is understood in all three cases', async () => {
    const spire = await startFakeSpire();
    const source = connectSvidSource(spire.socketPath);
    const ask = () => source.fetchJwtSvid(API, ['a.example.org'], unaborted());
    expect((await ask()).spiffeId.toString()).toBe('spiffe://example.org/api');
    const entries = spire.entries;

    spire.entries = [];
    expect((await refusal(ask)).code).toBe('identity_not_found');
    spire.caller = 'unknown';
    expect((await refusal(ask)).code).toBe('identity_delegate_unauthorized');
    spire.caller = 'unauthorized';
    expect((await refusal(ask)).code).toBe('identity_delegate_unauthorized');

    spire.caller = 'authorized';
    spire.entries = entries;
    expect((await ask()).spiffeId.toString()).toBe('spiffe://example.org/api');
  });
});
