import type { MintedSvid } from '../../src/dev/authority.ts';

/** What an agent process is told. Keys stay in the parent: public ones come here, tokens are signed on request. */
export type ToAgent =
  | {
      readonly kind: 'start';
      readonly socketPath: string;
      readonly trustDomain: string;
      readonly jwkSet: string;
      readonly entries: readonly { readonly spiffeId: string; readonly selector: string; readonly ttl: number }[];
    }
  | { readonly kind: 'keys'; readonly jwkSet: string }
  | { readonly kind: 'minted'; readonly id: number; readonly svid: MintedSvid }
  | { readonly kind: 'drop-streams' };

/** What an agent process says. */
export type FromAgent =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'mint';
      readonly id: number;
      readonly spiffeId: string;
      readonly audience: readonly string[];
      readonly ttl: number;
    };
