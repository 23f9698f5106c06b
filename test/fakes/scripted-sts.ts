import {
  type ScriptedAnswer,
  type ScriptedRequest,
  type ScriptedUpstream,
  startScriptedUpstream,
} from './scripted-upstream.ts';

export type StsRequest = ScriptedRequest;
export type StsAnswer = ScriptedAnswer;
export type ScriptedSts = ScriptedUpstream;

/** An STS that answers whatever a test says, over HTTP on loopback. */
export function startScriptedSts(): Promise<ScriptedSts> {
  return startScriptedUpstream({ contentType: 'text/xml', body: credentialsXml() });
}

export const STS_CREDENTIALS = {
  AccessKeyId: 'ASIAEXAMPLEEXAMPLE22',
  SecretAccessKey: 'secret/access+key=of-the-role',
  SessionToken: 'session/token+of=the-role',
  Expiration: '2126-11-22T13:00:00Z',
} as const;

/** A good answer, with other credentials or with fields of them left out (`undefined`). */
export function credentialsXml(
  fields: { readonly [K in keyof typeof STS_CREDENTIALS]?: string | undefined } = {},
): string {
  const credentials = Object.entries({ ...STS_CREDENTIALS, ...fields })
    .map(([name, value]) => (value === undefined ? '' : `<${name}>${value}</${name}>`))
    .join('');
  return (
    '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">' +
    `<AssumeRoleWithWebIdentityResult><Credentials>${credentials}</Credentials>` +
    '<SubjectFromWebIdentityToken>spiffe://example.org/api</SubjectFromWebIdentityToken>' +
    '<AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:api</AssumedRoleId>' +
    '<Arn>arn:aws:sts::111122223333:assumed-role/models/api</Arn></AssumedRoleUser>' +
    '</AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata>' +
    '</AssumeRoleWithWebIdentityResponse>'
  );
}

/** A refusal as STS words it. */
export function refusalXml(code: string, message: string): string {
  return (
    '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">' +
    `<Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>r-1</RequestId>` +
    '</ErrorResponse>'
  );
}
