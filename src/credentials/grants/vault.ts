import { z } from 'zod';
import { isSecureOrigin } from '../../base/http-url.ts';

/** A path below `auth/`: segments without what an URL or Vault gives a meaning of its own. */
const MOUNT = /^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/;

export const vaultGrantDocument = z
  .strictObject({
    address: z
      .string()
      .max(2048)
      .refine(isSecureOrigin, 'expected an https URL without path')
      .describe('The Vault or OpenBao server.'),
    role: z
      .string()
      .max(255)
      .regex(/^[\w.-]+$/, 'expected the name of a role')
      .describe('The role of the auth method.'),
    mount: z
      .string()
      .max(255)
      .regex(MOUNT, 'expected the path of an auth method, without "auth/"')
      .optional()
      .describe(
        'Where the auth method is mounted; where it is left out, at `jwt` or `spiffe`, as the method is called.',
      ),
    method: z
      .enum(['jwt', 'spiffe'])
      .default('jwt')
      .describe('The kind of auth method: `jwt`, or `spiffe` of Vault Enterprise.'),
    namespace: z
      .string()
      .max(255)
      .regex(MOUNT, 'expected a namespace, such as teams/payments')
      .optional()
      .describe('The namespace, on a server that has namespaces.'),
    caFile: z
      .string()
      .max(4096)
      .regex(/^\/\P{Cc}*$/u, 'expected the absolute path of a PEM file')
      .optional()
      .describe('The certificate authorities that sign the server, in place of the public ones.'),
  })
  .describe('Vault and OpenBao: login with a JWT.');

/** A token of Vault or OpenBao. */
export interface VaultGrant {
  readonly kind: 'vault';
  /** The one audience of the JWT-SVID that is exchanged. */
  readonly audience: string;
  /** What the audit names: server, mount and role. */
  readonly target: string;
  /** A URL without a trailing slash. */
  readonly address: string;
  readonly role: string;
  readonly mount: string;
  readonly method: 'jwt' | 'spiffe';
  readonly namespace: string | undefined;
  readonly caFile: string | undefined;
}

/** Vault knows no usual audience; its own address is what a role's `bound_audiences` names where nothing else is said. */
export function vaultGrant(document: z.output<typeof vaultGrantDocument>, audience?: string): VaultGrant {
  const { address, role, method, namespace, caFile } = document;
  // What `vault auth enable` takes where it is told no path.
  const { mount = method } = document;
  return {
    kind: 'vault',
    audience: audience ?? address,
    target: `${address}/v1/auth/${mount}/role/${role}`,
    address,
    role,
    mount,
    method,
    namespace,
    caFile,
  };
}
