import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { createAuthority } from '../../src/dev/authority.ts';
import { createCertificateAuthority } from '../../src/dev/certificate-authority.ts';
import { startDelegatedIdentityServer } from '../../src/dev/delegated-identity-server.ts';
import type { RegistrationEntry } from '../../src/dev/registration-entries.ts';
import { describeDelegatedIdentity } from '../contract/delegated-identity.contract.ts';
import type { ContractEntry } from '../contract/world.ts';
import { EXAMPLE_TRUST_DOMAIN, entry } from '../fakes/trust-domain.ts';

function toEntry({ spiffeId, selectors, ttl = 300, hint = '', ...flags }: ContractEntry): RegistrationEntry {
  const { id: _, ...rest } = flags;
  return { ...entry(spiffeId, ...selectors), jwtSvidTtl: ttl, hint, ...rest };
}

describeDelegatedIdentity('the embedded trust domain', async (entries) => {
  const folder = await mkdtemp(join(tmpdir(), 'svidx-'));
  const jwtIssuer = 'https://oidc.example.org';
  const authority = await createAuthority({
    clock: systemClock,
    keyType: 'ec-p256',
    jwtIssuer,
    keyTtlMs: 24 * 3600_000,
  });
  const certificateAuthority = createCertificateAuthority({ clock: systemClock, trustDomain: EXAMPLE_TRUST_DOMAIN });
  const held = new Map(entries.map((one) => [one.id, toEntry(one)]));
  let caller: 'authorized' | 'unauthorized' | 'unknown' = 'authorized';
  const socketPath = join(folder, 'admin.sock');
  const server = await startDelegatedIdentityServer({
    socketPath,
    trustDomain: EXAMPLE_TRUST_DOMAIN,
    authority,
    certificateAuthority,
    clock: systemClock,
    entries: () => [...held.values()],
    caller: () => caller,
  });
  return {
    socketPath,
    jwtIssuer,
    createEntry: async (one) => void held.set(one.id, toEntry(one)),
    deleteEntry: async (id) => void held.delete(id),
    setCaller: async (next) => {
      caller = next;
    },
    prepare: authority.prepare,
    activate: async () => authority.activate(),
    taint: async (keyId) => authority.taint(keyId),
    revoke: async (keyId) => authority.revoke(keyId),
    prepareX509: async () => certificateAuthority.rotate(),
    async close() {
      authority.close();
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
});
