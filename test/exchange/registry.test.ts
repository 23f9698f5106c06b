import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import type { Credentials } from '../../src/credentials/credentials.ts';
import type { Exchanger } from '../../src/exchange/exchanger.ts';
import { createExchangerRegistry } from '../../src/exchange/registry.ts';
import { unaborted } from '../support/delegated-identity.ts';
import { MODELS_GRANT, subjectToken } from '../support/exchange.ts';

const CREDENTIALS: Credentials = {
  kind: 'aws',
  accessKeyId: 'ASIAEXAMPLE',
  secretAccessKey: new Secret('secret'),
  sessionToken: new Secret('session'),
  expiresAt: 0,
  region: 'us-east-1',
};

const unneeded = async (): Promise<never> => {
  throw new Error('loaded an exchanger that nobody needs');
};
const NO_OTHERS = { azure: unneeded, gcp: unneeded, vault: unneeded, oauth: unneeded };

describe('an exchanger', () => {
  test('is not loaded before it is needed, and then once however many need it', async () => {
    let loads = 0;
    const calls: unknown[][] = [];
    const exchanger: Exchanger = {
      exchange: async (...args) => {
        calls.push(args);
        return CREDENTIALS;
      },
    };
    const registry = createExchangerRegistry({
      ...NO_OTHERS,
      aws: async () => {
        loads += 1;
        return exchanger;
      },
    });
    expect(loads).toBe(0);
    const svid = await subjectToken();
    const context = { signal: unaborted() };
    const results = await Promise.all([1, 2, 3].map(() => registry.exchange(svid, MODELS_GRANT, context)));
    results.push(await registry.exchange(svid, MODELS_GRANT, context));
    expect(loads).toBe(1);
    expect(results).toEqual(Array(4).fill(CREDENTIALS));
    expect(calls).toEqual(Array(4).fill([svid, MODELS_GRANT, context]));
  });

  test('that could not be loaded is loaded anew the next time', async () => {
    let loads = 0;
    const registry = createExchangerRegistry({
      ...NO_OTHERS,
      aws: async () => {
        loads += 1;
        if (loads === 1) throw new Error('too many open files');
        return { exchange: async () => CREDENTIALS };
      },
    });
    const svid = await subjectToken();
    await expect(registry.exchange(svid, MODELS_GRANT, { signal: unaborted() })).rejects.toThrow('too many open files');
    expect(await registry.exchange(svid, MODELS_GRANT, { signal: unaborted() })).toBe(CREDENTIALS);
    expect(loads).toBe(2);
  });

  test('that fails is asked again: an exchange that failed says nothing of its exchanger', async () => {
    let loads = 0;
    let calls = 0;
    const registry = createExchangerRegistry({
      ...NO_OTHERS,
      aws: async () => {
        loads += 1;
        return {
          exchange: async () => {
            calls += 1;
            if (calls === 1) throw new Error('refused');
            return CREDENTIALS;
          },
        };
      },
    });
    const svid = await subjectToken();
    await expect(registry.exchange(svid, MODELS_GRANT, { signal: unaborted() })).rejects.toThrow('refused');
    expect(await registry.exchange(svid, MODELS_GRANT, { signal: unaborted() })).toBe(CREDENTIALS);
    expect(loads).toBe(1);
  });
});
