import { rm } from 'node:fs/promises';
import { systemClock } from '../../src/base/clock.ts';
import type { MintedSvid } from '../../src/dev/authority.ts';
import { createCertificateAuthority } from '../../src/dev/certificate-authority.ts';
import {
  type DelegatedIdentityServerOptions,
  startDelegatedIdentityServer,
} from '../../src/dev/delegated-identity-server.ts';
import { parseSelector } from '../../src/spiffe/selector.ts';
import { SpiffeId } from '../../src/spiffe/spiffe-id.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import type { FromAgent, ToAgent } from '../soak/messages.ts';

/** The embedded agent's admin socket in a process of its own, which may be killed; its authority lives in the parent. */
const listeners = new Set<() => void>();
const waiting = new Map<number, (svid: MintedSvid) => void>();
let jwkSet = '';
let caller: 'authorized' | 'unknown' = 'authorized';

const authority: DelegatedIdentityServerOptions['authority'] = {
  mint: ({ spiffeId, audience, ttl }) =>
    new Promise((resolve) => {
      const id = waiting.size === 0 ? 0 : Math.max(...waiting.keys()) + 1;
      waiting.set(id, resolve);
      say({ kind: 'mint', id, spiffeId: spiffeId.toString(), audience, ttl });
    }),
  jwkSet: () => jwkSet,
  onChange(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  isTainted: () => false,
};

function say(message: FromAgent): void {
  process.send?.(message);
}

function changed(): void {
  for (const listener of listeners) listener();
}

process.on('message', (message: ToAgent) => {
  switch (message.kind) {
    case 'start':
      void start(message);
      break;
    case 'keys':
      jwkSet = message.jwkSet;
      changed();
      break;
    case 'minted':
      waiting.get(message.id)?.(message.svid);
      waiting.delete(message.id);
      break;
    case 'drop-streams':
      // An agent ends a stream when it has something to send and does not know the caller any more.
      caller = 'unknown';
      changed();
      caller = 'authorized';
      break;
  }
});
process.once('disconnect', () => process.exit(0));

async function start(setup: ToAgent & { kind: 'start' }): Promise<void> {
  jwkSet = setup.jwkSet;
  // As SPIRE's agent does: the socket of one that was killed is still there.
  await rm(setup.socketPath, { force: true });
  const entries = setup.entries.map(({ spiffeId, selector, ttl }) => {
    const parsed = parseSelector(selector);
    if (parsed === undefined) throw new Error(`not a selector: ${selector}`);
    return { spiffeId: SpiffeId.parse(spiffeId), selectors: [parsed], jwtSvidTtl: ttl, hint: '' };
  });
  const trustDomain = TrustDomain.parse(setup.trustDomain);
  await startDelegatedIdentityServer({
    socketPath: setup.socketPath,
    trustDomain,
    authority,
    certificateAuthority: createCertificateAuthority({ clock: systemClock, trustDomain }),
    clock: systemClock,
    entries: () => entries,
    caller: () => caller,
  });
  say({ kind: 'ready' });
}
