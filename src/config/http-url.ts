/**
 * Reads a URL that is written as it should be: `https://host` or `http://host`, and what follows.
 *
 * The URL standard mends much before it parses: it trims, drops line ends, turns `\` into `/` and puts in missing slashes.
 * What others compare or join byte by byte must not need that, nor hold credentials.
 * @returns `undefined` when the text is something else
 */
export function parseHttpUrl(text: string): URL | undefined {
  if (!/^https?:\/\/[^/@?#]+(?:[/?#]|$)/.test(text) || /[\s\\\p{Cc}]/u.test(text)) return undefined;
  return URL.canParse(text) ? new URL(text) : undefined;
}
