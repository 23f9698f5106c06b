import { describe, expect, test } from 'vitest';
import { identities, NO_IDENTITY } from './ask.ts';
import { selector } from './selector.ts';
import type { ContractWorld } from './world.ts';

const SERVICE = '/spire.api.agent.delegatedidentity.v1.DelegatedIdentity';
const API = selector('wasmcloud:component:api');
const UNPARSABLE = { code: 3, details: 'could not parse provided selectors' };
const EITHER_OR = { code: 3, details: 'must provide either selectors or non-zero PID, but not both' };
const NOT_ATTESTED = { code: 14, details: 'workload attestation failed' };

/** Linux has no process with such an ID (pid_max is at most 2^22). */
const NO_PROCESS = 5_000_000;

/** The refusals in the order in which they are made: each request breaks one rule and, where it can, the later ones. */
export function describeRefusals(world: ContractWorld): void {
  describe('a request is refused', () => {
    test.each([
      ['no audience', {}],
      ['an empty list of audiences', { audience: [], selectors: [{}], pid: 1 }],
    ])('with %s', async (_, request) => {
      expect(await world.delegate().fetch(request)).toEqual({ code: 3, details: 'audience must be specified' });
    });

    test.each([
      ['selectors and a process', { selectors: [{}], pid: 1 }],
      ['selectors and a process that cannot be', { selectors: [API], pid: -1 }],
      ['neither selectors nor a process', {}],
      ['an empty list of selectors and process 0', { selectors: [], pid: 0 }],
    ])('with %s', async (_, request) => {
      expect(await world.delegate().fetch({ audience: [''], ...request })).toEqual(EITHER_OR);
    });

    test.each([NO_PROCESS, -1])('for process %i, which there is not', async (pid) => {
      expect(await world.delegate().fetch({ audience: [''], pid })).toEqual(NOT_ATTESTED);
    });

    test.each([
      ['without type', [{ type: '', value: 'x' }]],
      ['without value', [{ type: 'x', value: '' }]],
      ['without either', [{}]],
      ['with a colon in its type', [{ type: 'wasmcloud:component', value: 'api' }]],
      ['without value, after a good one', [API, { type: 'x', value: '' }]],
    ])('for a selector %s', async (_, selectors) => {
      expect(await world.delegate().fetch({ audience: [''], selectors })).toEqual(UNPARSABLE);
    });

    test('for selectors of nobody, before its audience is signed', async () => {
      const selectors = [selector('x:nobody')];
      expect(await world.delegate().fetch({ audience: [''], selectors })).toEqual(NO_IDENTITY);
    });

    test('for a method, and for a service, that are not there', async () => {
      const delegate = world.delegate();
      for (const path of [`${SERVICE}/Nope`, '/no.such.Service/FetchJWTSVIDs']) {
        expect(await delegate.call(path, Buffer.alloc(0))).toMatchObject({ code: 12 });
      }
    });

    test('when it is no message, and the next one is answered', async () => {
      const delegate = world.delegate();
      expect(await delegate.call(`${SERVICE}/FetchJWTSVIDs`, Buffer.from([0xff, 0xff, 0xff]))).toMatchObject({
        code: 13,
      });
      expect(await identities(delegate, [API])).toEqual(['/team/api']);
    });

    test('when all its audiences are blank', { timeout: 45_000 }, async () => {
      expect(await world.blankAudience()).toEqual({
        code: 14,
        details:
          'could not fetch JWT-SVID: failed to fetch JWT SVID: rpc error: code = Internal desc = failed to sign JWT-SVID: invalid JWT-SVID audience: cannot be empty',
      });
    });
  });
}
