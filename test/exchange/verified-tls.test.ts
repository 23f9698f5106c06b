import tls from 'node:tls';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createAwsExchanger } from '../../src/exchange/aws.ts';
import { createHttpClient } from '../../src/exchange/http-client.ts';
import { createFakeClock } from '../fakes/clock.ts';
import { impatientClock } from '../fakes/impatient-clock.ts';
import { credentialsXml } from '../fakes/scripted-sts.ts';
import { createCertificate } from '../support/certificates.ts';
import { unaborted } from '../support/delegated-identity.ts';
import { refusal } from '../support/errors.ts';
import { MODELS_GRANT, subjectToken } from '../support/exchange.ts';
import { type HttpsServer, startHttpsServer } from '../support/https-server.ts';

const SIGNS_ITSELF = createCertificate({ hosts: ['localhost'] });
const OLD = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;

/** An STS that nobody has vouched for, and that answers whoever asks it all the same. */
async function startImpostor(options: Partial<typeof OLD> = {}): Promise<HttpsServer> {
  const server = await startHttpsServer({ ...SIGNS_ITSELF, ...options });
  server.handle = (_, response) => void response.writeHead(200, { 'Content-Type': 'text/xml' }).end(credentialsXml());
  return server;
}

/** As NODE_TLS_REJECT_UNAUTHORIZED, --tls-min-v1.0 and --tls-cipher-list do, the last two in NODE_OPTIONS for one. */
function weakenNode(): void {
  const { DEFAULT_MIN_VERSION, DEFAULT_CIPHERS } = tls;
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
  Object.assign(tls, { DEFAULT_MIN_VERSION: 'TLSv1', DEFAULT_CIPHERS: 'DEFAULT@SECLEVEL=0' });
  onTestFinished(() => {
    vi.unstubAllEnvs();
    Object.assign(tls, { DEFAULT_MIN_VERSION, DEFAULT_CIPHERS });
  });
}

describe('however the process was started, nothing is sent', () => {
  test.each([
    ['whose certificate nobody has signed', {}, /SELF_SIGNED_CERT/],
    ['that speaks nothing newer than TLS 1.1', OLD, /alert protocol version/],
  ])('to an STS %s', async (_, options, detail) => {
    weakenNode();
    const { url: endpoint, paths } = await startImpostor(options);
    const exchanger = createAwsExchanger({ clock: impatientClock(), random: () => 0.5, endpoint });
    const error = await refusal(exchanger.exchange(await subjectToken(), MODELS_GRANT, { signal: unaborted() }));
    expect(error).toMatchObject({ code: 'exchange_unavailable', detail: expect.stringMatching(detail) });
    expect(paths).toEqual([]);
  });

  test('to any other server that speaks nothing newer than TLS 1.1', async () => {
    weakenNode();
    const { url, paths } = await startImpostor(OLD);
    const http = createHttpClient(createFakeClock());
    const sent = http({ method: 'POST', url, headers: {}, body: 'token', ca: SIGNS_ITSELF.cert }, unaborted());
    await expect(sent).rejects.toThrow(/protocol/i);
    expect(paths).toEqual([]);
  });
});
