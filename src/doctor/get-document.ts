import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isJsonObject, parseJson } from '../base/json.ts';
import { systemErrorCode } from '../config/read-file.ts';
import { readBody } from '../http/read-body.ts';
import { type Finding, ok } from './walk.ts';
import type { World } from './world.ts';

/** AWS STS waits about this long for an issuer (IAM user guide, troubleshooting OIDC). Milliseconds. */
const CLOUD_PATIENCE_MS = 5_000;

/** Two hundred RSA keys of 4096 bits, the most that AWS reads, have about this many bytes. */
const MAX_DOCUMENT_BYTES = 256 * 1024;

/** A JSON document as a cloud would get it. */
export interface FetchedDocument {
  readonly json: Readonly<Record<string, unknown>>;
  readonly bytes: Buffer;
  readonly contentType: string;
  /** How far the server's clock is ahead of ours, in milliseconds, if the answer says what time it is there. */
  readonly clockAheadMs: number | undefined;
}

/** Gets a document as a cloud does: within a few seconds, without following redirects, over TLS that is verified. */
export async function getDocument(url: string, world: World): Promise<Finding<FetchedDocument>> {
  const answer = await get(url, world, Math.min(world.limitMs, CLOUD_PATIENCE_MS));
  if (typeof answer === 'string') return bad(`${url} cannot be fetched (${answer})`, adviceForConnection(answer));
  const { status, headers, body } = answer;
  if (status >= 300 && status < 400) {
    return bad(
      `${url} redirects (${status}) to ${headers.location ?? 'nowhere'}`,
      'Clouds do not follow: serve the document at exactly this URL.',
    );
  }
  if (status !== 200) return bad(`${url} answers with status ${status}`, adviceForStatus(status));
  if (body === undefined)
    return bad(`${url} has more than ${MAX_DOCUMENT_BYTES} bytes`, 'Something else is served there.');
  const json = parseJson(body);
  if (!isJsonObject(json)) return bad(`${url} is not a JSON object`, 'Something else is served there.');
  const contentType = headers['content-type'] ?? 'none';
  return ok(`${url}, ${body.length} bytes`, {
    json,
    bytes: body,
    contentType,
    clockAheadMs: clockAhead(headers, world.clock.now()),
  });
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** `undefined` when it is too long. */
  readonly body: Buffer | undefined;
}

function get(url: string, { ca }: World, limitMs: number): Promise<Answer | string> {
  return new Promise((resolve) => {
    const secure = url.startsWith('https:');
    const options = { headers: { Accept: 'application/json' }, signal: AbortSignal.timeout(limitMs), agent: false };
    const problem = (error: unknown): void => resolve(isTimeout(error) ? 'ETIMEDOUT' : systemErrorCode(error));
    const outgoing = (secure ? httpsRequest : httpRequest)(
      url,
      secure && ca !== undefined ? { ...options, ca } : options,
      (response) => {
        readBody(response, MAX_DOCUMENT_BYTES).then((body) => {
          response.destroy();
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
        }, problem);
      },
    );
    outgoing.on('error', problem);
    outgoing.end();
  });
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError');
}

/** RFC 9111 section 4.2.3: what a cache holds was sent `Age` seconds ago. */
function clockAhead(headers: IncomingHttpHeaders, now: number): number | undefined {
  const sent = Date.parse(headers.date ?? '');
  const ageSeconds = Number(headers.age ?? 0);
  return Number.isNaN(sent) || Number.isNaN(ageSeconds) ? undefined : sent + ageSeconds * 1000 - now;
}

function adviceForConnection(code: string): string {
  if (code === 'ECONNREFUSED') return 'Nobody listens there. Is the service running, and what stands before it?';
  if (code === 'ETIMEDOUT') return 'Clouds wait about five seconds. Does a firewall drop the connection?';
  if (/CERT|SIGNATURE|SSL/.test(code)) return 'The certificate of this host is not accepted: clouds verify it.';
  return 'Clouds must be able to fetch it over the internet.';
}

function adviceForStatus(status: number): string {
  if (status === 503) return 'The issuer answers so until it has keys: see the steps before, and its log.';
  if (status === 404) return 'Does what stands before the service pass this path on, unchanged?';
  return 'Anybody must be able to read it, without credentials.';
}

function bad(saw: string, advice: string): Finding<never> {
  return { status: 'fail', saw, advice };
}
