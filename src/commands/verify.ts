import { systemClock } from '../base/clock.ts';
import { SvidxError, toSvidxError } from '../base/errors.ts';
import { readNamedFile } from '../config/read-file.ts';
import { parseAudience } from '../spiffe/audience.ts';
import { parseBundleMap } from '../spiffe/bundle-map.ts';
import type { JwtBundleSet } from '../spiffe/jwt-bundle.ts';
import { DEFAULT_LEEWAY_SECONDS, verifyJwtSvid } from '../spiffe/jwt-svid.ts';
import type { Terminal } from './terminal.ts';

export interface VerifyOptions {
  readonly audience: readonly string[];
  readonly bundles: string;
}

/** `svidx verify`: verifies a JWT-SVID with the bundles in a file and prints what it says. Needs no service. */
export async function verify(terminal: Terminal, text: string, options: VerifyOptions): Promise<void> {
  const audience = parseAudience(options.audience);
  if (audience === undefined) throw new SvidxError('usage_invalid', '--audience: expected a text that is not empty');
  const bundles = await readBundles(options.bundles);
  const token = text === '-' ? (await terminal.readStdin()).trim() : text;
  const svid = await verifyJwtSvid(token, {
    bundles,
    audience,
    now: systemClock.now(),
    leewaySeconds: DEFAULT_LEEWAY_SECONDS,
  });
  terminal.print(
    JSON.stringify({
      spiffeId: svid.spiffeId,
      audience: svid.audience,
      issuedAt: svid.issuedAt === undefined ? null : new Date(svid.issuedAt).toISOString(),
      expiresAt: new Date(svid.expiresAt).toISOString(),
      claims: svid.claims,
    }),
  );
}

async function readBundles(file: string): Promise<JwtBundleSet> {
  const bytes = await readNamedFile(file, 'usage_invalid', `--bundles: ${file}`);
  try {
    return parseBundleMap(bytes);
  } catch (error) {
    throw new SvidxError('usage_invalid', `--bundles: ${file}: ${toSvidxError(error).message}`);
  }
}
