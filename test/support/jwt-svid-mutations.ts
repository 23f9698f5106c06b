export const TOKEN_PARTS = ['header', 'claims', 'signature'] as const;

/** Other ways to write the same bytes in base64, none of which RFC 7515 section 2 allows. */
export const TOKEN_SPELLINGS = [
  'padded',
  'one-pad-too-many',
  'standard-alphabet',
  'loose-bits',
  'space-before',
  'space-after',
  'newline-inside',
  'junk-inside',
] as const;
type Spelling = (typeof TOKEN_SPELLINGS)[number];

const SPELLINGS: Readonly<Record<Spelling, (part: string) => string>> = {
  padded: (part) => part.padEnd(Math.ceil(part.length / 4) * 4, '='),
  'one-pad-too-many': (part) => `${part}=`,
  'standard-alphabet': (part) => part.replaceAll('-', '+').replaceAll('_', '/'),
  'loose-bits': withLooseBits,
  'space-before': (part) => ` ${part}`,
  'space-after': (part) => `${part} `,
  'newline-inside': (part) => `${part.slice(0, 8)}\n${part.slice(8)}`,
  'junk-inside': (part) => `${part.slice(0, 8)}!${part.slice(8)}`,
};

/** The same bytes spelled otherwise; unchanged where this part has no such spelling. */
export function respell(part: string, as: Spelling): string {
  return SPELLINGS[as](part);
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Sets the lowest of the bits that the last character has to spare, if it has any. */
function withLooseBits(part: string): string {
  const last = ALPHABET.indexOf(part.slice(-1));
  return part.length % 4 === 0 ? part : part.slice(0, -1) + ALPHABET[last + 1];
}

/** The order of P-256's group: a signature of it counts as zero (SEC 2 section 2.4.2). */
const P256_ORDER = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551';

/** What is done to a token after it was signed. */
export const TOKEN_MUTATIONS = [
  'empty',
  'header-only',
  'signature-cut-off',
  'signature-emptied',
  'signature-truncated',
  'signature-extended',
  'signature-bit-flipped',
  'signature-zeroed',
  'signature-one-character-more',
  'signature-of-curve-order',
  'part-before',
  'part-after',
  'empty-part-after',
  'two-parts-after',
  'claims-exchanged',
  'header-exchanged',
  'json-flattened',
  'json-general',
  'json-unprotected-header',
  'doubled',
  'doubled-with-comma',
  'space-before',
  'space-after',
  'newline-after',
  'nul-after',
  'bearer-prefix',
  'quoted',
  'full-width-dots',
] as const;
type Mutation = (typeof TOKEN_MUTATIONS)[number];

export function mutate(token: string, mutation: Mutation): string {
  const [header = '', claims = '', signature = ''] = token.split('.');
  const signatureBytes = Buffer.from(signature, 'base64url');
  const withSignature = (bytes: Buffer): string => `${header}.${claims}.${bytes.toString('base64url')}`;
  switch (mutation) {
    case 'empty':
      return '';
    case 'header-only':
      return header;
    case 'signature-cut-off':
      return `${header}.${claims}`;
    case 'signature-emptied':
      return `${header}.${claims}.`;
    case 'signature-truncated':
      return withSignature(signatureBytes.subarray(0, -1));
    case 'signature-extended':
      return withSignature(Buffer.concat([signatureBytes, Buffer.alloc(1)]));
    case 'signature-bit-flipped':
      return withSignature(Buffer.from(signatureBytes.map((byte, index) => (index === 40 ? byte ^ 1 : byte))));
    case 'signature-zeroed':
      return withSignature(Buffer.alloc(signatureBytes.length));
    case 'signature-one-character-more':
      // One character beyond whole groups of four: six bits, which are no byte.
      return `${token.slice(0, -(signature.length % 4 || 4))}A`;
    case 'signature-of-curve-order':
      return withSignature(Buffer.from(P256_ORDER.repeat(2), 'hex'));
    case 'part-before':
      return `${header}.${token}`;
    case 'part-after':
      return `${token}.${signature}`;
    case 'empty-part-after':
      return `${token}.`;
    case 'two-parts-after':
      return `${token}.${signature}.${signature}`;
    case 'claims-exchanged':
      return `${header}.${withMember(claims, 'sub', 'spiffe://example.org/admin')}.${signature}`;
    case 'header-exchanged':
      return `${withMember(header, 'typ', 'JOSE')}.${claims}.${signature}`;
    case 'json-flattened':
      return JSON.stringify({ protected: header, payload: claims, signature });
    case 'json-general':
      return JSON.stringify({ payload: claims, signatures: [{ protected: header, signature }] });
    case 'json-unprotected-header':
      return JSON.stringify({ header: { alg: 'ES256' }, payload: claims, signature });
    case 'doubled':
      return `${token}.${token}`;
    case 'doubled-with-comma':
      return `${token},${token}`;
    case 'space-before':
      return ` ${token}`;
    case 'space-after':
      return `${token} `;
    case 'newline-after':
      return `${token}\n`;
    case 'nul-after':
      return `${token}\0`;
    case 'bearer-prefix':
      return `Bearer ${token}`;
    case 'quoted':
      return `"${token}"`;
    case 'full-width-dots':
      return token.replaceAll('.', '\uff0e');
  }
}

function withMember(part: string, name: string, value: string): string {
  const object: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
  return Buffer.from(JSON.stringify({ ...Object(object), [name]: value })).toString('base64url');
}
