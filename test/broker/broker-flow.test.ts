import { describe, expect, test } from 'vitest';
import { asAws } from '../support/credentials.ts';
import { refusal } from '../support/errors.ts';
import { expectNoSecrets } from '../support/secrets.ts';
import { startWorld, type World } from '../support/world.ts';

const API = { component: 'api' };

function actions(world: World): unknown[] {
  return world.log.audits().map(({ action, outcome }) => `${action} ${outcome}`);
}

describe('the broker between the embedded agent and the local STS', () => {
  test('100 callers cause one mint and one exchange; the credentials are then there at once', async () => {
    const world = await startWorld();
    const all = await Promise.all(Array.from({ length: 100 }, () => world.service.broker.credentials(API, 'models')));
    const [first] = all;
    expect(new Set(all).size).toBe(1);
    expect(await world.service.broker.credentials(API, 'models')).toBe(first);
    const count = (wanted: string) => actions(world).filter((action) => action === wanted).length;
    expect(count('identity.mint ok')).toBe(1);
    expect(count('credentials.exchange ok')).toBe(1);
    expect(count('credentials.request ok')).toBe(101);
  });

  test('no token and no credential is in the log, only the hash of what was handed out', async () => {
    const world = await startWorld();
    const svid = await world.service.broker.identity(API, ['sts.amazonaws.com', 'other.example.org']);
    const credentials = asAws(await world.service.broker.credentials(API, 'models'));
    await refusal(world.service.broker.credentials(API, svid.token.reveal()));
    await refusal(world.service.broker.identity(API, [svid.token.reveal()]));
    expect(world.log.lines.length).toBeGreaterThan(5);
    expectNoSecrets(world.log.lines, [
      svid.token.reveal(),
      credentials.secretAccessKey.reveal(),
      credentials.sessionToken.reveal(),
    ]);
    expect(world.log.lines.join('\n')).toContain(svid.sha256);
  });

  test('a component that SPIRE does not know gets neither identity nor credentials, and STS is not asked', async () => {
    const world = await startWorld({ entries: [] });
    expect(await refusal(world.service.broker.credentials(API, 'models'))).toMatchObject({
      code: 'identity_not_found',
      message:
        'SPIRE has no registration entry for the selectors of this component, or the entry has not reached the agent yet',
    });
    expect(actions(world)).toEqual([
      'identity.mint failed',
      'credentials.exchange failed',
      'credentials.request failed',
    ]);
  });

  test('an agent that is gone is named as what it is, and what is in memory still serves', async () => {
    const world = await startWorld();
    const credentials = asAws(await world.service.broker.credentials(API, 'models'));
    await world.trust.close();
    expect(await world.service.broker.credentials(API, 'models')).toBe(credentials);
    expect((await refusal(world.service.broker.identity(API, ['other.example.org']))).code).toBe(
      'identity_unavailable',
    );
  });
});
