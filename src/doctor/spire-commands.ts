import type { Selector } from '../spiffe/selector.ts';
import type { TrustDomain } from '../spiffe/trust-domain.ts';

/** The SPIFFE ID that this service is advised to have, where SPIRE has none for it. */
export function suggestedDelegateId(trustDomain: TrustDomain): string {
  return `${trustDomain.id}/svid-exchange`;
}

/** The command that registers who these selectors prove, for a shell (spire-server entry create). */
export function createEntryCommand(spiffeId: string, selectors: readonly Selector[]): string {
  const parts = [
    'spire-server entry create -parentID "$AGENT_ID"',
    `-spiffeID ${shellWord(spiffeId)}`,
    ...selectors.map(({ type, value }) => `-selector ${shellWord(`${type}:${value}`)}`),
  ];
  return `    ${parts.join(' ')}`;
}

/** What `$AGENT_ID` stands for in that command. */
export const AGENT_ID_NOTE =
  'AGENT_ID is the SPIFFE ID of this agent ("spire-server agent list"). An entry takes some seconds to reach it.';

/** One word of a POSIX shell: quoted where something in it could mean more than itself. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
