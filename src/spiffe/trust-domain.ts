import { SvidxError } from '../base/errors.ts';

/** SPIFFE-ID section 2.3: at most 255 bytes. (go-spiffe has no limit.) */
const MAX_LENGTH = 255;

/**
 * The name of a trust domain, for instance `example.org`. Only {@link TrustDomain.parse} makes one, so whoever holds a
 * `TrustDomain` holds a valid one.
 */
export class TrustDomain {
  /** The name alone: `example.org`. */
  readonly name: string;

  private constructor(name: string) {
    this.name = name;
    Object.freeze(this);
  }

  /**
   * Reads the name of a trust domain (`example.org`), not its ID (`spiffe://example.org`).
   *
   * Lower case letters, digits, dots, dashes and underscores (SPIFFE-ID section 2.1). Upper case is refused, not folded:
   * section 2.4 calls names case-insensitive, but section 2.1 leaves one valid spelling.
   * @throws SvidxError `trust_domain_invalid`
   */
  static parse(text: string): TrustDomain {
    if (text === '') throw invalid('is empty');
    if (text.length > MAX_LENGTH) throw invalid(`is longer than ${MAX_LENGTH} bytes`);
    for (const char of text) {
      if (!isTrustDomainChar(char))
        throw invalid(`may hold a-z, 0-9, ".", "-" and "_" only, not ${JSON.stringify(char)}`);
    }
    return new TrustDomain(text);
  }

  /** The SPIFFE ID of the trust domain itself: `spiffe://example.org`. */
  get id(): string {
    return `spiffe://${this.name}`;
  }

  equals(other: TrustDomain): boolean {
    return this.name === other.name;
  }

  toString(): string {
    return this.name;
  }

  toJSON(): string {
    return this.name;
  }
}

function isTrustDomainChar(char: string): boolean {
  return (char >= 'a' && char <= 'z') || (char >= '0' && char <= '9') || char === '.' || char === '-' || char === '_';
}

function invalid(problem: string): SvidxError {
  return new SvidxError('trust_domain_invalid', `the trust domain name ${problem}`);
}
