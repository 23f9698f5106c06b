import { randomInt } from 'node:crypto';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import type { Clock, Timer } from '../base/clock.ts';
import type { Audience } from '../spiffe/audience.ts';
import type { SpiffeId } from '../spiffe/spiffe-id.ts';
import { JWT_KEY_TYPES, type JwtKeyType } from './key-types.ts';

export interface AuthorityOptions {
  readonly clock: Clock;
  readonly keyType: JwtKeyType;
  /** The `iss` of every token (SPIRE server, jwt_issuer). */
  readonly jwtIssuer: string;
  /** How long a key lives, in milliseconds (SPIRE server, ca_ttl). */
  readonly keyTtlMs: number;
}

export interface MintRequest {
  readonly spiffeId: SpiffeId;
  readonly audience: Audience;
  /** Seconds. */
  readonly ttl: number;
}

/** A freshly signed JWT-SVID. */
export interface MintedSvid {
  readonly token: string;
  /** The key that signed it. */
  readonly keyId: string;
  /** Seconds since 1970. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** A SPIFFE authority for JWT-SVIDs, with keys that are made here, live in memory and change as SPIRE's do. */
export interface Authority {
  mint(request: MintRequest): Promise<MintedSvid>;
  /** The public keys as SPIRE's streams carry them: a JWK Set without `use` and `alg`. */
  jwkSet(): string;
  /** Calls `listener` after each change of the key set or of a key. Returns the function that ends the subscription. */
  onChange(listener: () => void): () => void;
  /** The four steps of a forced rotation, as `spire-server localauthority jwt` has them. Publishes a new key. Returns its ID. */
  prepare(): Promise<string>;
  /** Signs with the prepared key from now on. The old one stays published until it expires. */
  activate(): void;
  /**
   * Marks an old key as not to be trusted any longer; it stays published.
   * @throws Error for the key that signs, in SPIRE's words
   */
  taint(keyId: string): void;
  /**
   * Takes a tainted key out of the published set.
   * @throws Error for a key that is not tainted, in SPIRE's words
   */
  revoke(keyId: string): void;
  isTainted(keyId: string): boolean;
  /** The first two steps at once. */
  rotate(): Promise<void>;
  close(): void;
}

interface SigningKey {
  readonly keyId: string;
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** How often the keys' ages are looked at. Milliseconds. */
const CHECK_INTERVAL_MS = 10_000;

export async function createAuthority(options: AuthorityOptions): Promise<Authority> {
  const { clock, keyType, keyTtlMs } = options;
  const listeners = new Set<() => void>();
  const { alg, ...keyOptions } = JWT_KEY_TYPES[keyType];
  let active = await generateKey();
  let prepared: SigningKey | undefined;
  let old: readonly SigningKey[] = [];
  const tainted = new Set<string>();
  let closed = false;
  let timer: Timer = schedule();

  async function generateKey(): Promise<SigningKey> {
    const { publicKey, privateKey } = await generateKeyPair(alg, keyOptions);
    const now = clock.now();
    return {
      keyId: randomKeyId(),
      privateKey,
      publicJwk: await exportJWK(publicKey),
      createdAt: now,
      expiresAt: now + keyTtlMs,
    };
  }

  async function prepare(): Promise<string> {
    const key = await generateKey();
    // What has been published stays so.
    if (prepared !== undefined) old = [...old, prepared];
    prepared = key;
    changed();
    return key.keyId;
  }

  function activate(): void {
    if (prepared === undefined) return;
    old = [...old, active];
    active = prepared;
    prepared = undefined;
  }

  /** As SPIRE's server: the next key is published at half of a key's life and signs from five sixths of it on. */
  async function check(): Promise<void> {
    const now = clock.now();
    const age = (now - active.createdAt) / keyTtlMs;
    if (age >= 1 / 2 && prepared === undefined) await prepare();
    if (age >= 5 / 6) activate();
    const living = old.filter(({ expiresAt }) => expiresAt > now);
    if (living.length === old.length) return;
    old = living;
    changed();
  }

  function schedule(): Timer {
    return clock.after(Math.min(CHECK_INTERVAL_MS, keyTtlMs / 12), () => {
      void check().finally(() => {
        if (!closed) timer = schedule();
      });
    });
  }

  function changed(): void {
    for (const listener of listeners) listener();
  }

  return {
    async mint({ spiffeId, audience, ttl }) {
      // On a machine that has slept the timer may be late.
      if (active.expiresAt <= clock.now()) await check();
      const key = active;
      const issuedAt = Math.floor(clock.now() / 1000);
      const expiresAt = Math.min(issuedAt + ttl, Math.floor(key.expiresAt / 1000));
      const token = await new SignJWT({ aud: [...audience], exp: expiresAt, iat: issuedAt, iss: options.jwtIssuer })
        .setSubject(spiffeId.toString())
        .setProtectedHeader({ alg, kid: key.keyId, typ: 'JWT' })
        .sign(key.privateKey);
      return { token, keyId: key.keyId, issuedAt, expiresAt };
    },
    jwkSet() {
      const keys = [...old, active, ...(prepared === undefined ? [] : [prepared])];
      return JSON.stringify({ keys: keys.map(({ keyId, publicJwk }) => ({ kid: keyId, ...publicJwk })) }, null, 4);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    prepare,
    activate,
    taint(keyId) {
      if (keyId === active.keyId) throw new Error('unable to taint current local authority');
      tainted.add(keyId);
      changed();
    },
    revoke(keyId) {
      if (!tainted.has(keyId)) throw new Error('it is not possible to revoke an untainted key');
      old = old.filter((key) => key.keyId !== keyId);
      changed();
    },
    isTainted: (keyId) => tainted.has(keyId),
    async rotate() {
      if (prepared === undefined) await prepare();
      activate();
    },
    close() {
      closed = true;
      timer.cancel();
      listeners.clear();
    },
  };
}

/** 32 letters and digits, as SPIRE makes them. */
function randomKeyId(): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
  return Array.from({ length: 32 }, () => alphabet[randomInt(alphabet.length)]).join('');
}
