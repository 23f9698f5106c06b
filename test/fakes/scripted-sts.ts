import { createServer, type ServerResponse } from 'node:http';
import { onTestFinished } from 'vitest';
import { type Arrivals, createArrivals } from '../support/arrivals.ts';

/** One request as it arrived. */
export interface StsRequest {
  readonly method: string;
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** Resolves when the client has gone away. */
  readonly closed: Promise<void>;
}

/** What STS does with one request. */
export type StsAnswer =
  | { readonly status: number; readonly body: string; readonly headers?: Readonly<Record<string, string>> }
  | 'hang'
  /** Cuts the connection without a byte of an answer. */
  | 'reset'
  /** Begins a good answer and cuts the connection within it. */
  | 'reset within the body'
  /** Begins a good answer and falls silent within it. */
  | 'hang within the body'
  /** Sends a body that has no end. */
  | 'endless body';

/** An STS that answers whatever a test says, over HTTP on loopback. */
export interface ScriptedSts {
  readonly url: string;
  readonly requests: Arrivals<StsRequest>;
  onRequest(request: StsRequest): StsAnswer;
}

export async function startScriptedSts(): Promise<ScriptedSts> {
  const sts: ScriptedSts = { url: '', requests: createArrivals(), onRequest: () => 'hang' };
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const request: StsRequest = {
        method: incoming.method ?? '',
        url: incoming.url ?? '',
        headers: incoming.headers,
        body: Buffer.concat(chunks).toString('utf8'),
        closed: new Promise((resolve) => response.on('close', () => resolve())),
      };
      sts.requests.push(request);
      answer(response, sts.onRequest(request));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  return Object.assign(sts, { url: `http://127.0.0.1:${address.port}` });
}

function answer(response: ServerResponse, script: StsAnswer): void {
  response.on('error', () => {});
  switch (script) {
    case 'hang':
      return;
    case 'reset':
      response.destroy();
      return;
    case 'reset within the body':
      response.writeHead(200, { 'Content-Type': 'text/xml' });
      response.write(credentialsXml().slice(0, 200), () => response.destroy());
      return;
    case 'hang within the body':
      response.writeHead(200, { 'Content-Type': 'text/xml' }).write(credentialsXml().slice(0, 200));
      return;
    case 'endless body':
      response.writeHead(200, { 'Content-Type': 'text/xml' });
      pour(response);
      return;
    default:
      response.writeHead(script.status, { 'Content-Type': 'text/xml', ...script.headers }).end(script.body);
  }
}

const BUCKET = Buffer.alloc(64 * 1024, ' ');

function pour(response: ServerResponse): void {
  while (!response.destroyed && response.write(BUCKET));
  if (!response.destroyed) response.once('drain', () => pour(response));
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
