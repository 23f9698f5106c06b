import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { type Authority, createAuthority } from '../../src/dev/authority.ts';
import { type CertificateAuthority, createCertificateAuthority } from '../../src/dev/certificate-authority.ts';
import {
  type DelegatedIdentityServerOptions,
  startDelegatedIdentityServer,
} from '../../src/dev/delegated-identity-server.ts';
import type { JwtKeyType } from '../../src/dev/key-types.ts';
import type { RegistrationEntry } from '../../src/dev/registration-entries.ts';
import { parseSelector } from '../../src/spiffe/selector.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { tempFolder } from '../support/temp.ts';

export const EXAMPLE_TRUST_DOMAIN = TrustDomain.parse('example.org');

/** A SPIRE agent for one test: the embedded one, on a socket of its own, with what SPIRE knows in the test's hands. */
export interface FakeSpire {
  readonly authority: Authority;
  readonly certificateAuthority: CertificateAuthority;
  readonly socketPath: string;
  entries: RegistrationEntry[];
  caller: ReturnType<DelegatedIdentityServerOptions['caller']>;
  close(): Promise<void>;
}

export async function startFakeSpire(
  options: { clock?: Clock; keyType?: JwtKeyType; jwtIssuer?: string; entries?: RegistrationEntry[] } = {},
): Promise<FakeSpire> {
  const authority = await createAuthority({
    clock: options.clock ?? systemClock,
    keyType: options.keyType ?? 'ec-p256',
    jwtIssuer: options.jwtIssuer ?? 'https://oidc.example.org',
    keyTtlMs: 24 * 3600_000,
  });
  const certificateAuthority = createCertificateAuthority({
    clock: options.clock ?? systemClock,
    trustDomain: EXAMPLE_TRUST_DOMAIN,
  });
  const spire: FakeSpire = {
    authority,
    certificateAuthority,
    socketPath: join(await tempFolder(), 'admin.sock'),
    entries: options.entries ?? [entry('spiffe://example.org/api', 'wasmcloud:component:api')],
    caller: 'authorized',
    close: async () => {
      authority.close();
      await server.close();
    },
  };
  const server = await startDelegatedIdentityServer({
    socketPath: spire.socketPath,
    trustDomain: EXAMPLE_TRUST_DOMAIN,
    authority,
    certificateAuthority,
    clock: options.clock ?? systemClock,
    entries: () => spire.entries,
    caller: () => spire.caller,
  });
  onTestFinished(() => spire.close());
  return spire;
}

/** A registration entry, its selectors in text form. */
export function entry(spiffeId: string, ...selectors: string[]): RegistrationEntry {
  return {
    spiffeId: SpiffeId.parse(spiffeId),
    selectors: selectors.map((text) => {
      const selector = parseSelector(text);
      if (selector === undefined) throw new Error(`not a selector: ${text}`);
      return selector;
    }),
    jwtSvidTtl: 300,
    hint: '',
  };
}
