import type { RawDelegate } from '../support/raw-delegate.ts';

/** A registration entry, its selectors in text form. */
export interface ContractEntry {
  /** Where several entries match, the answers are in the order of these. */
  readonly id: string;
  readonly spiffeId: string;
  readonly selectors: readonly string[];
  /** Seconds that its JWT-SVIDs live; 300 if left out. */
  readonly ttl?: number;
  readonly hint?: string;
  readonly admin?: boolean;
  readonly downstream?: boolean;
}

/** What the agent finds out about the calling process, which is this one. */
export type ContractCaller = 'authorized' | 'unauthorized' | 'unknown';

/** An agent of the trust domain example.org with keys of type ec-p256 that live a day, and what stands behind it. */
export interface ContractAgent {
  readonly socketPath: string;
  readonly jwtIssuer: string;
  /** These resolve when it is so at the source; the agent may follow later. */
  createEntry(entry: ContractEntry): Promise<void>;
  deleteEntry(id: string): Promise<void>;
  setCaller(caller: ContractCaller): Promise<void>;
  /** The steps of a rotation. The first returns the ID of the new key. */
  prepare(): Promise<string>;
  activate(keyId: string): Promise<void>;
  taint(keyId: string): Promise<void>;
  revoke(keyId: string): Promise<void>;
  /** Publishes a further X.509 authority. */
  prepareX509(): Promise<void>;
  close(): Promise<void>;
}

/** What the parts of the contract are given. */
export interface ContractWorld {
  agent(): ContractAgent;
  /** A client for one test. */
  delegate(): RawDelegate;
  /** How a call with nothing but a blank audience came out: SPIRE 1.16 takes half a minute to say so. */
  blankAudience(): Promise<object>;
}

/** The longest that a change may take to reach the agent, in milliseconds: each side looks once a second here. */
export const PROPAGATION = { within: 10_000 };
