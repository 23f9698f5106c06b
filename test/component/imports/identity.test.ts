import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ERROR_CODES, type ErrorCode, SvidxError } from '../../../src/base/errors.ts';
import type { Broker } from '../../../src/broker/broker.ts';
import type { ImportContext } from '../../../src/component/host-import.ts';
import { IDENTITY_ERROR_CASE, identityImport } from '../../../src/component/imports/identity.ts';
import { createFakeBroker, fakeToken } from '../../fakes/broker.ts';
import { createFakeHosting } from '../../fakes/hosting.ts';

const codes = Object.keys(ERROR_CODES) as ErrorCode[];
const caller = { component: 'api', digest: `sha256:${'0'.repeat(64)}` };

/** Who asks, and who answers. */
function context(broker: Broker): ImportContext {
  return { caller, broker, hosting: createFakeHosting() };
}

async function get(failure: unknown, ...args: unknown[]): Promise<unknown> {
  const broker = createFakeBroker();
  broker.failure = failure;
  return identityImport.functions['get']?.(context(broker), args);
}

describe('wasmcloud:identity/store', () => {
  test('is the interface of wit/', () => {
    expect(identityImport.name).toBe('wasmcloud:identity/store');
    expect(Object.keys(identityImport.functions)).toEqual(['get']);
    const wit = readFileSync('wit/wasmcloud-identity-0.0.1/identity.wit', 'utf8');
    expect(wit).toContain('package wasmcloud:identity@0.0.1;');
    expect(wit).toContain('get: func(audience: string) -> result<option<string>, error>;');
  });

  test('gives the token of the one who asks, for its one audience', async () => {
    const broker = createFakeBroker();
    expect(await identityImport.functions['get']?.(context(broker), ['a'])).toEqual({ ok: fakeToken('api', ['a']) });
    expect(broker.asked).toEqual([{ caller, audience: ['a'] }]);
  });
});

describe('its errors', () => {
  test('every code has a case, and nothing else has', () => {
    expect(Object.keys(IDENTITY_ERROR_CASE).sort()).toEqual([...codes].sort());
  });

  test.each(codes)('%s is of its case, with a payload just where the WIT has one', async (code) => {
    const tag = IDENTITY_ERROR_CASE[code];
    const expected = tag === 'not-found' ? { tag } : { tag, val: `${code}: a sentence` };
    expect(await get(new SvidxError(code, 'a sentence', { detail: 'DETAIL' }), 'a')).toEqual({ err: expected });
  });

  test('what may pass by itself is io, no identity is not-found, and everything else is other', () => {
    const of = (wanted: string): string[] => codes.filter((code) => IDENTITY_ERROR_CASE[code] === wanted).sort();
    expect(of('not-found')).toEqual(['identity_mismatch', 'identity_not_found']);
    expect(of('io')).toEqual([
      'bundle_unavailable',
      'exchange_throttled',
      'exchange_unavailable',
      'identity_delegate_unauthorized',
      'identity_unavailable',
      'rate_limited',
      'service_stopping',
      'service_unreachable',
    ]);
    expect(of('other')).toHaveLength(codes.length - 10);
  });

  test.each([
    ['an error that is none of ours', new Error('SECRET-1')],
    ['a text', 'SECRET-1'],
  ])('%s says nothing of itself', async (_, failure) => {
    const outcome = await get(failure, 'a');
    expect(outcome).toEqual({
      err: { tag: 'other', val: 'internal_error: something went wrong inside svid-exchange' },
    });
  });

  test.each([[[]], [[1]], [[undefined]], [[null]], [[['a']]]])(
    'arguments %j, which lifting never gives, do not throw',
    async (args) => {
      expect(await get(undefined, ...args)).toMatchObject({ err: { tag: 'other' } });
    },
  );
});
