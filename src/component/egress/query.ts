import { EgressError } from './error-code.ts';

/** One parameter of a query, as it was written and as it reads. */
export interface QueryParameter {
  readonly text: string;
  readonly name: string;
  /** `undefined` without `=`. */
  readonly value: string | undefined;
}

/**
 * Reads a query. A plus sign is a space, as form encoding has it and AWS reads it; whoever means a plus sign writes `%2B`.
 * @param query with its question mark, or empty
 * @throws EgressError `HTTP-request-URI-invalid` where a percent sign begins nothing, or no UTF-8
 */
export function parseQuery(query: string): readonly QueryParameter[] {
  return query
    .slice(1)
    .split('&')
    .filter((text) => text !== '')
    .map((text) => {
      const [name = '', ...rest] = text.split('=');
      return { text, name: formDecoded(name), value: rest.length === 0 ? undefined : formDecoded(rest.join('=')) };
    });
}

/** The query with its question mark; empty for no parameters. */
export function joinQuery(parameters: readonly string[]): string {
  return parameters.length === 0 ? '' : `?${parameters.join('&')}`;
}

/**
 * Undoes percent-encoding.
 * @throws EgressError `HTTP-request-URI-invalid`
 */
export function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new EgressError('HTTP-request-URI-invalid', 'a percent sign in it begins nothing, or no UTF-8');
  }
}

function formDecoded(text: string): string {
  return percentDecoded(text.replaceAll('+', ' '));
}
