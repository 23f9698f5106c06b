import { type Clock, systemClock } from '../../src/base/clock.ts';
import { createOAuthExchanger } from '../../src/exchange/oauth.ts';
import { startScriptedUpstream } from '../fakes/scripted-upstream.ts';
import { describeFaults } from '../support/exchange-faults.ts';
import { ACCESS_TOKEN, oauthGrantOf, tokenAnswer } from '../support/oauth.ts';

const contentType = 'application/json';

for (const [flow, dpop] of [
  ['token-exchange', false],
  ['jwt-bearer', false],
  ['client-credentials', false],
  ['token-exchange', true],
] as const) {
  const good = { contentType, body: tokenAnswer({ token_type: dpop ? 'DPoP' : 'Bearer' }).body };
  describeFaults(
    `OAuth, ${flow}${dpop ? ', bound to a key' : ''}`,
    async (url, { clock, random }) => {
      const publisher = await startScriptedUpstream(good);
      let published = false;
      publisher.onRequest = () => {
        published = true;
        const metadata = { issuer: publisher.url, token_endpoint: `${url}/token` };
        return { status: 200, body: JSON.stringify(metadata) };
      };
      // The table looks at every timer of its clock, and is about the token endpoint; discovery has tests of its own.
      const after: Clock['after'] = (ms, callback) => (published ? clock : systemClock).after(ms, callback);
      const exchanger = createOAuthExchanger({ clock: { now: clock.now, after }, random });
      return (svid, signal) => exchanger.exchange(svid, oauthGrantOf(publisher.url, { flow, dpop }), { signal });
    },
    { good, secrets: [ACCESS_TOKEN] },
  );
}
