import { text } from 'node:stream/consumers';
import { discovery, genericGrantRequest, None } from 'openid-client';

/**
 * A workload that has a JWT-SVID, from whatever host gives it one, and trades it for what a policy grants it:
 *
 *     node token-exchange.ts https://oidc.example.org models < jwt-svid
 *
 * The token comes on stdin, and not as an argument that everybody on the machine could read.
 */
const [issuer = '', grant = ''] = process.argv.slice(2);
const subjectToken = (await text(process.stdin)).trim();

const server = await discovery(new URL(issuer), 'any', undefined, None(), { algorithm: 'oauth2' });
const answer = await genericGrantRequest(server, 'urn:ietf:params:oauth:grant-type:token-exchange', {
  subject_token: subjectToken,
  subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  audience: grant,
});

process.stdout.write(`${JSON.stringify(answer)}\n`);
