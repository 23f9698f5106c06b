import { describe, inject } from 'vitest';
import { describeDelegatedIdentity } from '../contract/delegated-identity.contract.ts';
import type { ContractEntry } from '../contract/world.ts';
import { createRawDelegate } from '../support/raw-delegate.ts';
import { until } from '../support/until.ts';
import { OUR_SELECTOR, type Spire, startSpire } from './support/spire.ts';

const JWT_ISSUER = 'https://oidc.example.org';

function createEntry(spire: Spire, { id, spiffeId, selectors, ttl = 0, hint = '', ...is }: ContractEntry) {
  const flags = ['-jwtSVIDTTL', String(ttl), '-hint', hint];
  if (is.admin) flags.push('-admin');
  if (is.downstream) flags.push('-downstream');
  return spire.createEntry({ id, spiffeId, selectors, flags });
}

/** The delegate's entries: this process is whoever its selector says it is. */
const CALLERS = { authorized: 'svid-exchange', unauthorized: 'not-a-delegate', unknown: undefined };

describe.skipIf(inject('spire') === undefined)('with a real SPIRE', () => {
  describeDelegatedIdentity('SPIRE', async (entries) => {
    const spire = await startSpire({ server: { jwt_key_type: 'ec-p256', jwt_issuer: JWT_ISSUER }, register: false });
    let delegateEntry: string | undefined;

    async function setCaller(caller: keyof typeof CALLERS): Promise<void> {
      if (delegateEntry !== undefined) await spire.deleteEntry(delegateEntry);
      delegateEntry = CALLERS[caller];
      if (delegateEntry === undefined) return;
      const spiffeId = `spiffe://example.org/${delegateEntry}`;
      await spire.createEntry({ id: delegateEntry, spiffeId, selectors: [OUR_SELECTOR] });
    }

    try {
      for (const entry of entries) await createEntry(spire, entry);
      await setCaller('authorized');
      const closers: (() => void)[] = [];
      const delegate = createRawDelegate(spire.adminSocket, (close) => closers.push(close));
      // Entries go over in one piece: who has the last one has them all.
      const selectors = [{ type: 'x', value: 'long' }];
      const look = () => delegate.fetch({ audience: ['ready'], selectors });
      await until('the entries', look, (outcome) => 'svids' in outcome, { within: 10_000 });
      for (const close of closers) close();
    } catch (error) {
      await spire.close();
      throw error;
    }
    return {
      socketPath: spire.adminSocket,
      jwtIssuer: JWT_ISSUER,
      createEntry: (entry) => createEntry(spire, entry),
      deleteEntry: spire.deleteEntry,
      setCaller,
      async prepare() {
        const answer = JSON.parse(await spire.server.ctl('localauthority jwt prepare', '-output', 'json'));
        return answer.prepared_authority.authority_id;
      },
      activate: async (keyId) => void (await spire.server.ctl('localauthority jwt activate', '-authorityID', keyId)),
      taint: async (keyId) => void (await spire.server.ctl('localauthority jwt taint', '-authorityID', keyId)),
      revoke: async (keyId) => void (await spire.server.ctl('localauthority jwt revoke', '-authorityID', keyId)),
      prepareX509: async () => void (await spire.server.ctl('localauthority x509 prepare')),
      close: spire.close,
    };
  });
});
