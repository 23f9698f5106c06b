import { z } from 'zod';
import { type ListenAddress, parseListenAddress } from './listen-address.ts';

/** A step that turns a text into something else, or reports what was expected instead. */
export function into<T extends object>(parse: (text: string) => T | { readonly problem: string }) {
  return (text: string, context: z.core.$RefinementCtx<string>): T => {
    const result = parse(text);
    if (!('problem' in result)) return result;
    context.addIssue({ code: 'custom', message: String(result.problem), input: text });
    return z.NEVER;
  };
}

export const toListenAddress = into<ListenAddress>(
  (text) => parseListenAddress(text) ?? { problem: 'expected an IP address and a port, such as 127.0.0.1:8080' },
);

export const fileText = z.string().regex(/^\P{Cc}*[^/\p{Cc}]$/u, 'expected the path of a file');

/** The files of a listener that speaks TLS. */
export const tlsFiles = z.strictObject({
  certFile: fileText.describe('The certificate chain in PEM, relative to this file. Read anew when it changes.'),
  keyFile: fileText.describe('Its private key in PEM, without a passphrase; likewise.'),
});

/** Of a listener for programs in sessions. */
export const requestsInSession = z
  .int()
  .min(1)
  .max(1_000_000)
  .default(1_000)
  .describe('How much one session may ask there, and at once.');
