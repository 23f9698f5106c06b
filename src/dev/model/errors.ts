import type { SignatureProblem } from '../aws/signature.ts';

/** A refusal of the local model endpoint, with the code and status that Amazon Bedrock has for it. */
export class ModelError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** The codes of AWS' JSON services for a signature that is refused; the status is 403. */
const SIGNATURE_ERRORS: Readonly<Record<SignatureProblem, readonly [code: string, message: string]>> = {
  missing: ['MissingAuthenticationTokenException', 'Missing Authentication Token'],
  incomplete: ['IncompleteSignatureException', 'The request signature does not conform to AWS standards'],
  'other-scope': [
    'InvalidSignatureException',
    "Credential should be scoped to a valid region, and to correct service: 'bedrock'.",
  ],
  'unknown-key': ['UnrecognizedClientException', 'The security token included in the request is invalid.'],
  'expired-key': ['ExpiredTokenException', 'The security token included in the request is expired'],
  skewed: ['InvalidSignatureException', 'Signature expired or not yet current'],
  mismatch: [
    'InvalidSignatureException',
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.',
  ],
};

export function signatureError(problem: SignatureProblem): ModelError {
  const [code, message] = SIGNATURE_ERRORS[problem];
  return new ModelError(403, code, message);
}
