import { allowInsecureRequests, discovery } from 'openid-client';

/** What a relying party learns from an issuer's URL, and nothing else. */
export interface Discovered {
  readonly issuer: string;
  readonly keysUrl: URL;
  readonly algorithms: string[];
}

/** OpenID Connect discovery as `openid-client` does it, its checks of the document included. */
export async function discover(issuer: string): Promise<Discovered> {
  const configuration = await discovery(new URL(issuer), 'relying-party', undefined, undefined, {
    execute: issuer.startsWith('http:') ? [allowInsecureRequests] : [],
  });
  const metadata = configuration.serverMetadata();
  return {
    issuer: metadata.issuer,
    keysUrl: new URL(metadata.jwks_uri ?? ''),
    algorithms: [...((metadata['id_token_signing_alg_values_supported'] as string[] | undefined) ?? [])],
  };
}
