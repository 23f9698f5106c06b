import { get } from 'svidx:credentials/store@0.1.0';
import { Sha256 } from '@smithy/core/checksum';
import { SignatureV4 } from '@smithy/signature-v4';
import { config } from './config.ts';
import { answered, Failure, refused } from './failure.ts';
import { post, type Request } from './http-client.ts';
import { jwtSvid } from './identity.ts';

/** Short-lived, and secret: it is used here and shown to nobody. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

/**
 * Exchanges the component's JWT-SVID itself (STS API reference, AssumeRoleWithWebIdentity). The policy must allow it the
 * token's audience, and STS as a destination.
 */
export function exchangedCredentials(): AwsCredentials {
  const form = new URLSearchParams({
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: config('ROLE_ARN'),
    RoleSessionName: 'wasmpay',
    DurationSeconds: '900',
    WebIdentityToken: jwtSvid(),
  });
  const { status, text } = post({
    url: new URL(config('STS_URL')),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
  });
  if (status !== 200) throw answered('sts', status, element(text, 'Code'));
  return {
    accessKeyId: element(text, 'AccessKeyId'),
    secretAccessKey: element(text, 'SecretAccessKey'),
    sessionToken: element(text, 'SessionToken'),
  };
}

/** The credentials that the host exchanges for it. The policy must have the grant. */
export function grantedCredentials(): AwsCredentials {
  const credentials = ask(config('GRANT'));
  if (credentials.tag === 'aws') return credentials.val;
  throw new Failure(500, 'svidx:credentials/store', 'not-aws', `the grant is one of ${credentials.tag}`);
}

/** The same request, signed with Signature Version 4. */
export async function signed(request: Request, credentials: AwsCredentials): Promise<Request> {
  const { url, headers, body } = request;
  const signer = new SignatureV4({ credentials, region: config('REGION'), service: 'bedrock', sha256: Sha256 });
  const { headers: signedHeaders } = await signer.sign({
    method: 'POST',
    protocol: url.protocol,
    hostname: url.hostname,
    path: url.pathname,
    query: {},
    headers: { ...headers, host: url.host },
    body,
  });
  return { ...request, headers: signedHeaders };
}

function ask(grant: string): ReturnType<typeof get> {
  try {
    return get(grant);
  } catch (thrown) {
    throw refused('svidx:credentials/store', thrown);
  }
}

/** STS answers in XML. The few elements that matter hold words and base64: nothing in them is escaped. */
function element(xml: string, name: string): string {
  const [, content = ''] = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml) ?? [];
  return content;
}
