import { SvidxError } from '../base/errors.ts';
import { TrustDomain } from './trust-domain.ts';

const SCHEME = 'spiffe://';

/** SPIFFE-ID section 2.3: implementations support URIs of up to 2048 bytes and do not make longer ones. (go-spiffe has no limit.) */
const MAX_LENGTH = 2048;

/**
 * A SPIFFE ID, for instance `spiffe://example.org/billing/api`. Only {@link SpiffeId.parse} and {@link SpiffeId.of}
 * make one. It prints exactly as it was read: nothing is normalised.
 */
export class SpiffeId {
  readonly trustDomain: TrustDomain;
  /** Empty, or `/` and segments: `/billing/api`. */
  readonly path: string;

  private constructor(trustDomain: TrustDomain, path: string) {
    this.trustDomain = trustDomain;
    this.path = path;
    Object.freeze(this);
  }

  /**
   * Reads a SPIFFE ID, one that names a trust domain alone (`spiffe://example.org`) included.
   * @throws SvidxError `spiffe_id_invalid`, or `trust_domain_invalid` for its authority part
   */
  static parse(text: string): SpiffeId {
    if (text.length > MAX_LENGTH) throw invalid(`is longer than ${MAX_LENGTH} bytes`);
    if (!text.startsWith(SCHEME)) throw invalid(`must begin with ${JSON.stringify(SCHEME)}`);
    const rest = text.slice(SCHEME.length);
    const slash = rest.indexOf('/');
    const trustDomain = TrustDomain.parse(slash === -1 ? rest : rest.slice(0, slash));
    return SpiffeId.of(trustDomain, slash === -1 ? '' : rest.slice(slash));
  }

  /**
   * Joins a trust domain and a path, as gRPC messages carry them apart.
   * @param path empty, or `/` and segments
   * @throws SvidxError `spiffe_id_invalid`
   */
  static of(trustDomain: TrustDomain, path: string): SpiffeId {
    if (trustDomain.id.length + path.length > MAX_LENGTH) throw invalid(`is longer than ${MAX_LENGTH} bytes`);
    checkPath(path);
    return new SpiffeId(trustDomain, path);
  }

  equals(other: SpiffeId): boolean {
    return this.path === other.path && this.trustDomain.equals(other.trustDomain);
  }

  toString(): string {
    return this.trustDomain.id + this.path;
  }

  toJSON(): string {
    return this.toString();
  }
}

/** SPIFFE-ID section 2.2: segments of letters, digits, `.`, `-`, `_`; none empty, none `.` or `..`; no trailing slash. */
function checkPath(path: string): void {
  if (path === '') return;
  if (!path.startsWith('/')) throw invalid('has a path that does not begin with "/"');
  for (const segment of path.slice(1).split('/')) {
    if (segment === '') throw invalid('has an empty path segment or a trailing slash');
    if (segment === '.' || segment === '..') throw invalid('has a path segment "." or ".."');
    for (const char of segment) {
      if (!isPathChar(char)) {
        throw invalid(`may hold A-Z, a-z, 0-9, ".", "-" and "_" in its path only, not ${JSON.stringify(char)}`);
      }
    }
  }
}

function isPathChar(char: string): boolean {
  return (
    (char >= 'a' && char <= 'z') ||
    (char >= 'A' && char <= 'Z') ||
    (char >= '0' && char <= '9') ||
    char === '.' ||
    char === '-' ||
    char === '_'
  );
}

function invalid(problem: string): SvidxError {
  return new SvidxError('spiffe_id_invalid', `the SPIFFE ID ${problem}`);
}
