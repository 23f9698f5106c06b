/** The part of `oidc-provider`, which has no types of its own, that the authorization server of the tests uses. */
declare module 'oidc-provider' {
  import type { RequestListener } from 'node:http';

  export interface Client {
    readonly clientId: string;
  }

  /** The context of a request at the token endpoint. */
  export interface Context {
    readonly oidc: {
      readonly client: Client;
      /** Only what was registered for the grant type; repeated parameters as arrays. */
      readonly params: Readonly<Record<string, string | readonly string[] | undefined>>;
    };
    body: unknown;
  }

  export interface AccessTokenFields {
    readonly accountId: string;
    readonly client: Client;
    readonly gty: string;
    readonly scope: string | undefined;
  }

  export interface StoredToken {
    readonly clientId: string;
    readonly accountId?: string;
    readonly scope?: string;
    readonly aud?: string;
    /** The thumbprint of the key that it is bound to (RFC 9449 section 6). */
    readonly jkt?: string;
    readonly extra?: Readonly<Record<string, unknown>>;
    /** Seconds. */
    readonly expiration: number;
  }

  interface TokenModel<Fields> {
    new (
      fields: Fields,
    ): StoredToken & {
      readonly tokenType: string;
      save(): Promise<string>;
      setThumbprint(prop: 'jkt', thumbprint: string): void;
    };
    find(token: string): Promise<StoredToken | undefined>;
  }

  type ErrorClass = new (description?: string) => Error;

  export const errors: {
    readonly InvalidRequest: ErrorClass;
    readonly InvalidGrant: ErrorClass;
    readonly InvalidTarget: ErrorClass;
    readonly InvalidScope: new (description: string, scope?: string) => Error;
  };

  export class Provider {
    constructor(issuer: string, configuration: object);
    readonly AccessToken: TokenModel<AccessTokenFields>;
    readonly ClientCredentials: { find(token: string): Promise<StoredToken | undefined> };
    registerGrantType(
      name: string,
      handler: (ctx: Context) => Promise<void>,
      params: readonly string[],
      dupes: readonly string[],
    ): void;
    callback(): RequestListener;
  }
}

declare module 'oidc-provider/lib/helpers/validate_dpop.js' {
  import type { Context, Provider } from 'oidc-provider';

  /** Checks the proof of a request; nothing where there is none, or where the server has no DPoP. */
  export default function validateDpop(
    provider: Provider,
    ctx: Context,
  ): Promise<{ readonly thumbprint: string } | undefined>;
}
