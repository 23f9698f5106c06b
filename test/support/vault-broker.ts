import { type Broker, createBroker } from '../../src/broker/broker.ts';
import type { Credentials, VaultToken } from '../../src/credentials/credentials.ts';
import type { Exchanger } from '../../src/exchange/exchanger.ts';
import type { JwtSvidSource } from '../../src/identity/source.ts';
import { compilePolicies } from '../../src/policy/policy-set.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { settle } from '../fakes/clock.ts';
import { createMemoryLog, type MemoryLog } from '../fakes/log.ts';
import { startVaultWorld, VAULT_AUDIENCE, type VaultWorld, type VaultWorldOptions } from './vault.ts';

/** A component that asks for its Vault token through the whole broker, minute by minute of everybody's clock. */
export interface VaultBrokerWorld extends VaultWorld {
  readonly log: MemoryLog;
  /** Thrown in place of a JWT-SVID, where it is set. */
  identityFailure: Error | undefined;
  /** Asks once, and lets the refresh behind it come to its end. */
  ask(): Promise<VaultToken>;
  /** Asks now and at the end of every minute, so many minutes long; at which minutes Vault was called, and for what. */
  minutes(count: number): Promise<string[]>;
}

export async function startVaultBroker(options: VaultWorldOptions = {}): Promise<VaultBrokerWorld> {
  const vaultWorld = await startVaultWorld(options);
  const { vault, clock, mint } = vaultWorld;
  const log = createMemoryLog();
  const pending = new Set<Promise<unknown>>();
  const tracked = <T>(work: Promise<T>): Promise<T> => {
    pending.add(work);
    const end = (): void => void pending.delete(work);
    work.then(end, end);
    return work;
  };
  const svids: JwtSvidSource = {
    fetchJwtSvid({ spiffeId }, audience) {
      if (world.identityFailure !== undefined) return Promise.reject(world.identityFailure);
      return tracked(mint({ id: spiffeId.toString(), audience }));
    },
  };
  const vaultExchanger = vaultWorld.exchanger();
  const exchanger: Exchanger = {
    exchange(svid, grant, context) {
      if (grant.kind !== 'vault') throw new Error('expected a grant for Vault');
      return tracked(vaultExchanger.exchange(svid, grant, context));
    },
  };
  const policies = compilePolicies([{ file: 'api.yaml', text: policy(vault.url) }], TrustDomain.parse('example.org'));
  const broker: Broker = createBroker({
    policies: () => policies,
    svids,
    exchanger,
    clock,
    random: () => 0,
    logger: log.logger,
    cacheSize: 100,
  });
  const idle = async (): Promise<void> => {
    for (await settle(); pending.size > 0; await settle()) await Promise.allSettled(pending);
  };
  const world: VaultBrokerWorld = {
    ...vaultWorld,
    log,
    identityFailure: undefined,
    async ask() {
      const token = asVault(await broker.credentials({ component: 'api' }, 'secrets'));
      await idle();
      return token;
    },
    async minutes(count) {
      const seen: string[] = [];
      for (let minute = 0; minute <= count; minute += 1) {
        const before = vault.calls().length;
        await world.ask();
        seen.push(
          ...vault
            .calls()
            .slice(before)
            .map((call) => `${minute} ${call}`),
        );
        if (minute < count) await clock.advance(60_000);
      }
      return seen;
    },
  };
  return world;
}

/** As the README has it, but for the address. */
function policy(address: string): string {
  return `
component: api
spiffeId: spiffe://example.org/team/api
selectors: [wasmcloud:component:api]
grants:
  secrets:
    audience: ${VAULT_AUDIENCE}
    vault: { address: '${address}', role: api }
`;
}

function asVault(credentials: Credentials): VaultToken {
  if (credentials.kind !== 'vault') throw new Error(`expected a token of Vault, and got ${credentials.kind}`);
  return credentials;
}
