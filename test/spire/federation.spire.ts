import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { createDelegatedIdentityApi } from '../../src/identity/delegated-identity/api.ts';
import { createDelegatedJwtBundleSource } from '../../src/identity/delegated-identity/jwt-bundle-source.ts';
import { verifyJwtSvid } from '../../src/spiffe/jwt-svid.ts';
import { TrustDomain } from '../../src/spiffe/trust-domain.ts';
import { createMemoryLog } from '../fakes/log.ts';
import { refusalCode } from '../support/errors.ts';
import { tempFolder } from '../support/temp.ts';
import { until } from '../support/until.ts';
import { createOutsideClient, publishedKeys } from './support/outside-client.ts';
import { SOON, type SpireWorld, startSpireWorld } from './support/spire-world.ts';

const PARTNER = 'partner.example';

describe.skipIf(inject('spire') === undefined)('a real SPIRE that federates with another', () => {
  let world: SpireWorld;
  beforeAll(async () => {
    world = await startSpireWorld();
    return world.close;
  });

  test("the other's keys arrive, apart: they verify its tokens and no others, and are not published as ours", async () => {
    const partner = await world.spire.startPartner(PARTNER);
    const bundles = createDelegatedJwtBundleSource({
      connect: () => createDelegatedIdentityApi(world.spire.adminSocket),
      trustDomain: TrustDomain.parse('example.org'),
      clock: systemClock,
      random: Math.random,
      logger: createMemoryLog().logger,
      timeoutMs: 3_000,
    });
    onTestFinished(() => bundles.close());
    const ours = await publishedKeys(world.issuer.keysUrl);
    const mint = ['-spiffeID', `spiffe://${PARTNER}/shop`, '-audience', 'a'];
    const theirToken = (await partner.ctl('jwt mint', ...mint)).trim();
    const audience = world.newAudience();
    const ourToken = await world.token('ledger', audience);
    const verify = (token: string) =>
      verifyJwtSvid(token, { bundles, audience: ['a', audience], now: Date.now(), leewaySeconds: 5 });
    await until('our keys', async () => bundles.get(TrustDomain.parse('example.org')), Boolean, SOON);
    expect(await refusalCode(verify(theirToken))).toBe('token_trust_domain_unknown');

    const file = join(await tempFolder(), 'bundle.json');
    await writeFile(file, await partner.ctl('bundle show', '-format', 'spiffe'));
    const flags = ['-format', 'spiffe', '-id', `spiffe://${PARTNER}`, '-path', file];
    await world.spire.server.ctl('bundle set', ...flags);
    await world.spire.createEntry({
      id: 'federated',
      spiffeId: 'spiffe://example.org/federated',
      selectors: ['wasmcloud:component:federated'],
      flags: ['-federatesWith', `spiffe://${PARTNER}`],
    });
    await until('their keys', async () => bundles.get(TrustDomain.parse(PARTNER)), Boolean, SOON);

    expect(String((await verify(theirToken)).spiffeId)).toBe(`spiffe://${PARTNER}/shop`);
    expect(String((await verify(ourToken)).spiffeId)).toBe('spiffe://example.org/spiffe-in-practice/ledger');
    const theirs = bundles.get(TrustDomain.parse(PARTNER))?.authorities.map(({ keyId }) => keyId) ?? [];
    expect(theirs).toHaveLength(1);
    expect(ours).not.toContain(theirs[0]);
    const still = bundles.get(TrustDomain.parse('example.org'))?.authorities.map(({ keyId }) => keyId);
    expect(still?.toSorted()).toEqual(ours);

    // The issuer speaks for one trust domain.
    const heard = () => world.log.entries().some((entry) => JSON.stringify(entry).includes(theirs[0] ?? PARTNER));
    await until('the service to hear of it', async () => heard(), Boolean, SOON);
    expect(await publishedKeys(world.issuer.keysUrl)).toEqual(ours);
    const client = await createOutsideClient(world.issuer.url);
    await expect(client.verify(theirToken, 'a')).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' });
    await client.verify(ourToken, audience);
  });
});
