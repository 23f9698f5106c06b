import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { MARKS, markedHandler, tokenHandler } from '../fakes/marked-http.ts';
import { entry, type FakeSpire, startFakeSpire } from '../fakes/trust-domain.ts';
import { createCertificate } from '../support/certificates.ts';
import { holdRequest } from '../support/held-request.ts';
import { ask } from '../support/http.ts';
import { POLICY, type Setup, setup } from '../support/serve-setup.ts';
import { type Running, startSvidx, svidx } from '../support/svidx.ts';
import { until } from '../support/until.ts';

const LEDGER = POLICY.replaceAll('api', 'ledger');
const PAGES = 'component: pages\nspiffeId: spiffe://example.org/pages\nselectors: [a:b]\nwasi: [clocks]\n';
const POLICIES = { 'api.yaml': POLICY, 'ledger.yaml': LEDGER, 'pages.yaml': PAGES };
const HOST = `host:
  listen: 127.0.0.1:0
  cache: cache
  components:
    - { component: api, file: token.wasm, route: /api/ }
    - { component: ledger, file: token.wasm, route: /api/ledger/ }
    - { component: pages, file: pages.wasm, route: / }
`;

let token: Uint8Array;
let pages: Uint8Array;
let nextPages: Uint8Array;
let cache: string;
beforeAll(async () => {
  [token, pages, nextPages] = await Promise.all([tokenHandler(), markedHandler('old '), markedHandler('new ')]);
  cache = await mkdtemp(join(tmpdir(), 'svidx-'));
});
afterAll(() => rm(cache, { recursive: true, force: true }));

interface Hosting extends Setup {
  readonly running: Running;
  readonly ready: {
    readonly url: string;
    readonly broker: string;
    readonly components: readonly { readonly component: string; readonly digest?: string; readonly code?: string }[];
  };
}

function startSpire(): Promise<FakeSpire> {
  return startFakeSpire({
    entries: ['api', 'ledger'].map((name) => entry(`spiffe://example.org/${name}`, `wasmcloud:component:${name}`)),
  });
}

/** A configuration with components beside it. */
async function place(spire: FakeSpire, lines = HOST): Promise<Setup> {
  const made = await setup({
    spire: `unix://${spire.socketPath}`,
    policies: POLICIES,
    lines: lines.replace('cache: cache', `cache: ${cache}`),
  });
  await writeFile(join(made.folder, 'token.wasm'), token);
  await writeFile(join(made.folder, 'pages.wasm'), pages);
  return made;
}

/** `svidx host` against a fake SPIRE, ready. */
async function host(made: Setup): Promise<Hosting> {
  const running = startSvidx(['host', '-c', made.config, '--json']);
  onTestFinished(async () => void (await running.end()));
  return { ...made, running, ready: JSON.parse(await running.firstLine()) };
}

function subjectOf(jwt: string): unknown {
  return JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()).sub;
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

describe('host', () => {
  test('serves components by their routes, each with its own identity, and ends well', async () => {
    const { ready, running, socket, folder } = await host(await place(await startSpire()));
    const [digest, other] = [digestOf(token), digestOf(pages)];
    expect(ready).toStrictEqual({
      ready: true,
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      components: [
        { component: 'api', digest },
        { component: 'ledger', digest },
        { component: 'pages', digest: other },
      ],
      issuer: 'https://oidc.example.org',
      discovery: 'https://oidc.example.org/.well-known/openid-configuration',
      broker: `unix:${socket}`,
    });
    const subjects = await Promise.all(
      ['/api/x', '/api/ledger'].map(async (path) => subjectOf((await ask(ready.url, { path })).text)),
    );
    expect(subjects).toEqual(['spiffe://example.org/api', 'spiffe://example.org/ledger']);
    expect((await ask(ready.url, { path: '/apix' })).text).toBe('old '.repeat(MARKS));
    expect((await ask(ready.url, { path: '/api/../' })).status).toBe(400);

    // The service itself is there as well.
    expect((await svidx(['token', '--component', 'api', '--audience', 'me', '--socket', socket])).code).toBe(0);
    running.signal('SIGTERM');
    const { code, signal, stderr } = await running.finished();
    expect([code, signal]).toEqual([0, null]);
    expect(stderr).toMatch(/"event":"component.loaded","component":"ledger","digest":"sha256:/);
    expect((await readdir(folder)).toSorted()).toEqual(['pages.wasm', 'policies', 'svidx.yaml', 'token.wasm']);
  });

  test('starts without a component that cannot be loaded, says why, and takes it when it can', async () => {
    const made = await place(await startSpire());
    await writeFile(join(made.folder, 'pages.wasm'), 'not a component');
    const { ready, folder, running } = await host(made);
    expect(ready.components).toMatchObject([
      { digest: {} },
      { digest: {} },
      { component: 'pages', code: 'component_invalid' },
    ]);
    expect(await ask(ready.url, { path: '/' })).toMatchObject({
      status: 503,
      text: '{"code":"component_invalid","message":"the component is not in service"}',
    });
    expect((await ask(ready.url, { path: '/api' })).status).toBe(200);
    const health = await ask(ready.broker, { path: '/readyz' });
    expect([health.status, JSON.parse(health.text)]).toMatchObject([
      200,
      { state: 'degraded', parts: { 'component/api': { state: 'up' }, 'component/pages': { state: 'down' } } },
    ]);
    await running.logged(/"event":"component.load_failed","component":"pages","error":\{"code":"component_invalid"/);

    await writeFile(join(folder, 'new'), pages);
    await rename(join(folder, 'new'), join(folder, 'pages.wasm'));
    await running.logged(/"event":"component.loaded","component":"pages"/);
    expect((await ask(ready.url, { path: '/' })).text).toBe('old '.repeat(MARKS));
  });

  test('replaces a component under its clients, and stops one whose policy goes', async () => {
    const { ready, folder, running } = await host(await place(await startSpire()));
    const held = holdRequest(ready.url);
    await held.accepted;
    await writeFile(join(folder, 'new'), nextPages);
    await rename(join(folder, 'new'), join(folder, 'pages.wasm'));
    await running.logged(/"event":"component.replaced","component":"pages"/);
    expect((await ask(ready.url, { path: '/' })).text).toBe('new '.repeat(MARKS));
    expect((await held.finish()).text).toBe('old '.repeat(MARKS));

    await rm(join(folder, 'policies/pages.yaml'));
    await until(
      'the policy is gone',
      async () => (await ask(ready.url, { path: '/' })).text,
      (text) => text === '{"code":"policy_denied","message":"the component is not in service"}',
      { within: 10_000 },
    );
    expect((await ask(ready.url, { path: '/api' })).status).toBe(200);
  });

  test('finishes requests under way when it is asked to stop', async () => {
    const { ready, running } = await host(await place(await startSpire()));
    const held = holdRequest(ready.url);
    await held.accepted;
    running.signal('SIGTERM');
    await running.logged(/"event":"service.stopping"/);
    expect(await held.finish()).toMatchObject({ status: 200, text: 'old '.repeat(MARKS) });
    expect(await running.finished()).toMatchObject({ code: 0, signal: null });
  });

  test('speaks TLS with a certificate of its own', async () => {
    const { cert, key } = createCertificate({ hosts: ['127.0.0.1'] });
    const made = await place(
      await startSpire(),
      HOST.replace('host:', 'host:\n  tls: { certFile: c.pem, keyFile: k.pem }'),
    );
    await writeFile(join(made.folder, 'c.pem'), cert);
    await writeFile(join(made.folder, 'k.pem'), key);
    const { ready } = await host(made);
    expect(ready.url).toMatch(/^https:/);
    const status = await new Promise((resolve, reject) => {
      get(`${ready.url}/`, { ca: cert, agent: false }, (response) => resolve(response.resume().statusCode)).on(
        'error',
        reject,
      );
    });
    expect(status).toBe(200);
    const health = JSON.parse((await ask(ready.broker, { path: '/readyz/hostTls' })).text);
    expect(health).toMatchObject({ state: 'up', reason: expect.stringContaining('valid until') });
  });

  test('without --json says in words where it is and what runs', async () => {
    const made = await place(await startSpire());
    await rm(join(made.folder, 'pages.wasm'));
    const running = startSvidx(['host', '-c', made.config]);
    onTestFinished(async () => void (await running.end()));
    await running.printed(
      /^svidx hosts at http:\S+, and serves https:\/\/oidc\.example\.org\n {2}api sha256:\w+\n {2}ledger sha256:\w+\n {2}pages is not in service: config_invalid\n/,
    );
  });
});

describe('host is refused', () => {
  test('without a section for it', async () => {
    const { config } = await setup();
    expect(await svidx(['host', '-c', config])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: `svidx: config_invalid: ${config}: host: is missing; it says which components run where\n`,
    });
  });

  test('where its address cannot be had, and leaves nothing behind', async () => {
    const spire = await startSpire();
    const first = await host(await place(spire));
    const { port } = new URL(first.ready.url);
    const made = await place(spire, HOST.replace('127.0.0.1:0', `127.0.0.1:${port}`));
    const { code, stdout, stderr } = await svidx(['host', '-c', made.config, '--json']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(`config_invalid: cannot listen on 127.0.0.1:${port} (EADDRINUSE)`);
    expect((await readdir(made.folder)).toSorted()).toEqual(['pages.wasm', 'policies', 'svidx.yaml', 'token.wasm']);
  });
});

describe('host --check', () => {
  test('says that all is good, without any service around it', async () => {
    const { config } = await place(await startSpire());
    expect(await svidx(['host', '-c', config, '--check'])).toMatchObject({
      code: 0,
      stdout: `${config}: good, with components api, ledger, pages\n`,
      stderr: '',
    });
  });

  test('names each component that could not be hosted, and why', async () => {
    const { config, folder } = await place(await startSpire());
    await rm(join(folder, 'pages.wasm'));
    await writeFile(join(folder, 'policies/api.yaml'), PAGES.replaceAll('pages', 'api'));
    await writeFile(join(folder, 'policies/ledger.yaml'), `${LEDGER}digest: ${digestOf(pages)}\n`);
    const { code, stdout, stderr } = await svidx(['host', '-c', config, '--check']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr.trimEnd().split('\n')).toEqual([
      expect.stringMatching(
        /^svidx: config_invalid: host\.components: api: component_import_denied: .*wasmcloud:identity/,
      ),
      'host.components: ledger: policy_denied: component "ledger": its bytes are not the ones its policy allows: ' +
        `they are ${digestOf(token)}`,
      `host.components: pages: config_invalid: ${folder}/pages.wasm: cannot be read (ENOENT)`,
    ]);
  });
});

describe('serve with a section host', () => {
  test('runs no component, and says so', async () => {
    const { config } = await place(await startSpire());
    expect((await svidx(['serve', '-c', config, '--check'])).stdout).toBe(
      `${config}: good, with policies for api, ledger, pages; "host" is for "svidx host"\n`,
    );
    const running = startSvidx(['serve', '-c', config, '--json']);
    onTestFinished(async () => void (await running.end()));
    await running.firstLine();
    await running.logged(/"level":"warn".*"event":"service.host_ignored"/);
  });
});
