import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SvidxError } from '../../src/base/errors.ts';
import type { LoadedComponent } from '../../src/component/host.ts';
import { EXPIRY_SECONDS, fakeToken, refusalWithDetail } from '../fakes/broker.ts';
import { asker, counter, refusing } from '../fakes/components.ts';
import { createTestHost } from '../support/components.ts';
import { refusal } from '../support/errors.ts';

/** One host for all tests of this file: loading takes longer than anything else. */
const { broker, host, load } = createTestHost({ limits: { instances: 2 } });
let counting: LoadedComponent;
let refuser: LoadedComponent;
/** The same bytes under two names. */
let api: LoadedComponent;
let ledger: LoadedComponent;

beforeAll(async () => {
  const [askerBytes, counterBytes, refusingBytes] = await Promise.all([asker(), counter(), refusing()]);
  [api, ledger, counting, refuser] = await Promise.all([
    load('api', askerBytes),
    load('ledger', askerBytes),
    load('counter', counterBytes),
    load('refusing', refusingBytes),
  ]);
});

beforeEach(() => {
  broker.asked.length = 0;
  broker.failure = undefined;
});

afterAll(() => host.close());

describe('each call has a fresh instance', () => {
  test('globals and memory begin again, in the same thread as in another', async () => {
    const calls = ['count-in-global', 'count-in-memory', 'count-in-global', 'count-in-memory'];
    for (const name of calls) expect(await counting.call(name, [])).toEqual({ ok: 1 });
    const together = calls.map((name) => counting.call(name, []));
    expect(await Promise.all(together)).toEqual(calls.map(() => ({ ok: 1 })));
  });
});

describe('what a function gives', () => {
  test('arrives as its value', async () => {
    expect(await counting.call('add', [2, 40])).toEqual({ ok: 42 });
    expect(await counting.call('double', [2n ** 40n])).toEqual({ ok: 2n ** 41n });
    expect(await counting.call('nothing', [])).toEqual({ ok: undefined });
  });

  test('its own error arrives as such, whatever its type', async () => {
    expect(await refuser.call('with-text', [])).toEqual({ err: 'a reason' });
    expect(await refuser.call('with-nothing', [])).toEqual({ err: undefined });
    expect(await refuser.call('with-variant', [])).toEqual({ err: { tag: 'reason', val: 7 } });
    expect(await refuser.call('not-at-all', [])).toEqual({ ok: 42 });
  });
});

describe('what it is called with', () => {
  test.each([
    'nope',
    'Add',
    'countInGlobal',
    'memory',
    'cabi_realloc',
    'constructor',
    'toString',
    '__proto__',
    'then',
    '',
  ])('a function %j that it does not export is refused, and what it exports is named', async (name) => {
    const error = await refusal(counting.call(name, []));
    expect(error).toMatchObject({ code: 'component_export_unknown' });
    const known = counting.functions.join(', ');
    expect(error.message).toBe(`the component exports no function ${JSON.stringify(name)}: it exports ${known}`);
  });

  test('too few or too many arguments are refused, and the component is none the worse', async () => {
    expect(await refusal(counting.call('add', [1]))).toMatchObject({
      code: 'component_export_unknown',
      message: 'add takes 2 arguments, not 1',
    });
    expect(await refusal(counting.call('nothing', [1, 2, 3]))).toMatchObject({
      code: 'component_export_unknown',
      message: 'nothing takes 0 arguments, not 3',
    });
    expect(await counting.call('add', [1, 1])).toEqual({ ok: 2 });
  });

  test.each([
    ['a number for a text', 1],
    ['nothing for a text', undefined],
    ['null for a text', null],
    ['an object for a text', {}],
    ['a list for a text', ['a']],
  ])('%s ends the call, which never reaches the component', async (_, argument) => {
    const error = await refusal(api.call('token', [argument]));
    expect(error).toMatchObject({ code: 'component_trapped' });
    expect(error.message).toMatch(/expected a string/);
    expect(broker.asked).toEqual([]);
    expect(await api.call('token', ['a'])).toHaveProperty('ok');
  });

  test.each([
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
  ])('%s cannot even be sent', async (_, argument) => {
    expect(await refusal(counting.call('add', [1, argument]))).toMatchObject({
      code: 'component_export_unknown',
      message: 'add: an argument is nothing that a component can take',
    });
    expect(await counting.call('add', [1, 1])).toEqual({ ok: 2 });
  });
});

describe('what it asks of the host', () => {
  test('a token and credentials, in the shapes of the WIT', async () => {
    expect(await api.call('token', ['sts.amazonaws.com'])).toEqual({
      ok: fakeToken('api', ['sts.amazonaws.com']),
    });
    expect(await api.call('credentials', ['models'])).toEqual({
      ok: {
        tag: 'aws',
        val: {
          accessKeyId: 'ASIAEXAMPLEEXAMPLE00',
          secretAccessKey: 'the-secret-access-key',
          sessionToken: 'the-session-token',
          expiration: BigInt(EXPIRY_SECONDS),
          region: 'eu-central-1',
        },
      },
    });
    const caller = { component: 'api', digest: api.digest };
    expect(broker.asked).toEqual([
      { caller, audience: ['sts.amazonaws.com'] },
      { caller, grant: 'models' },
    ]);
  });

  test('may be refused, and can hand the refusal on, typed and without its detail', async () => {
    broker.failure = refusalWithDetail();
    expect(await api.call('token', ['a'])).toEqual({
      err: { tag: 'other', val: 'exchange_denied: the trust policy refuses it' },
    });
    expect(await api.call('credentials', ['g'])).toEqual({
      err: { tag: 'rejected', val: { code: 'exchange_denied', message: 'the trust policy refuses it' } },
    });
    broker.failure = new SvidxError('identity_not_found', 'nobody');
    expect(await api.call('token', ['a'])).toEqual({ err: { tag: 'not-found' } });
  });

  test('an error in the host itself tells it nothing', async () => {
    broker.failure = new Error('SECRET-1');
    expect(await api.call('token', ['a'])).toEqual({
      err: { tag: 'other', val: 'internal_error: something went wrong inside svid-exchange' },
    });
  });

  test('more than once in a call', async () => {
    expect(await api.call('token-twice', ['a'])).toEqual({ ok: fakeToken('api', ['a']) });
    expect(broker.asked).toHaveLength(2);
  });

  test.each(['', 'a\u0000b', 'ü東🌍', '\u202e', 'a'.repeat(65_536)])(
    'with any text up to 65536 characters (%#)',
    async (text) => {
      broker.failure = new SvidxError('policy_denied', 'no');
      await api.call('token', [text]);
      expect(broker.asked.map(({ audience }) => audience)).toEqual([[text]]);
    },
  );

  test('not with a text so long that the host would feel it', async () => {
    for (const length of [65_537, 50_000_000]) {
      expect(await refusal(api.call('long-audience', [length]))).toMatchObject({
        code: 'component_trapped',
        message: 'the component trapped: RangeError: wasmcloud:identity/store#get takes at most 65536 characters',
      });
    }
    expect(broker.asked).toEqual([]);
  });
});

describe('who it is', () => {
  test('was fixed when it was loaded: two with the same bytes, side by side, are each asked for as themselves', async () => {
    const names = Array.from({ length: 6 }, (_, index) => (index % 2 === 0 ? 'api' : 'ledger'));
    const results = await Promise.all(
      names.map((name) => (name === 'api' ? api : ledger).call('token', [`for ${name}`])),
    );
    expect(results).toEqual(names.map((name) => ({ ok: fakeToken(name, [`for ${name}`]) })));
    expect(broker.asked.every(({ caller, audience }) => audience?.[0] === `for ${caller.component}`)).toBe(true);
    expect(api.digest).toBe(ledger.digest);
  });

  test('is not to be had by asking: what it says is an audience and nothing else', async () => {
    for (const text of ['ledger', '{"component":"ledger"}', 'a","component":"ledger', 'x\r\ncomponent: ledger']) {
      await api.call('token', [text]);
    }
    expect(new Set(broker.asked.map(({ caller }) => caller.component))).toEqual(new Set(['api']));
  });
});
