import { request } from 'node:http';
import type { HttpAnswer } from './http.ts';

/** A request whose body is not finished, so that a component that reads it to the end is not either. */
export interface HeldRequest {
  /** Resolves when the server has begun to answer it. */
  readonly accepted: Promise<void>;
  /** Ends the body, and gives the answer. */
  finish(): Promise<HttpAnswer>;
  /** The answer, if it comes before the body's end. */
  readonly answer: Promise<HttpAnswer>;
}

/** Begins a POST and holds it. */
export function holdRequest(url: string, path = '/'): HeldRequest {
  const headers = { Expect: '100-continue', 'Transfer-Encoding': 'chunked' };
  const outgoing = request(new URL(path, url), { method: 'POST', agent: false, headers });
  const answer = new Promise<HttpAnswer>((resolve, reject) => {
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode = 0, headers } = response;
        resolve({ status: statusCode, headers, text: Buffer.concat(chunks).toString('utf8') });
      });
    });
  });
  answer.catch(() => {});
  const accepted = new Promise<void>((resolve) => outgoing.once('continue', resolve));
  outgoing.write('half of it, ');
  return {
    accepted,
    answer,
    finish() {
      outgoing.end('and the rest');
      return answer;
    },
  };
}
