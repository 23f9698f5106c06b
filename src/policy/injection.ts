/** Where a grant's credentials are added to a component's requests, and nowhere else. */
export interface Injection {
  /** `http` for a loopback address alone. */
  readonly scheme: 'http' | 'https';
  /** As in an `EgressRule`. */
  readonly host: string;
  readonly port: number;
  /** The signing name of AWS Signature Version 4; `undefined` where the host tells it, or nothing is signed. */
  readonly service: string | undefined;
}
