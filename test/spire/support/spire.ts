import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '../../support/cli.ts';
import { deployPath, fillIn } from './deploy-file.ts';
import { createProgram, type Program } from './program.ts';
import { startReaper } from './reaper.ts';
import { accepts, type SpireServer, spirePrograms, startSpireServer } from './spire-server.ts';

/** How the agent knows the delegate, which is this very process. */
export const OUR_SELECTOR = `unix:uid:${process.getuid?.() ?? 0}`;

/** A registration entry as `spire-server entry create` takes it. */
export interface NewEntry {
  readonly id: string;
  readonly spiffeId: string;
  readonly selectors: readonly string[];
  /** Further flags. */
  readonly flags?: readonly string[];
}

/** A SPIRE server and an agent of the trust domain example.org on loopback, set up by the files of deploy/spire/. */
export interface Spire {
  /** Removed at the end, whatever lies in it. */
  readonly folder: string;
  readonly server: SpireServer;
  readonly agent: Program;
  readonly adminSocket: string;
  readonly workloadSocket: string;
  /** Resolves when the server has it; the agent follows. */
  createEntry(entry: NewEntry): Promise<void>;
  deleteEntry(id: string): Promise<void>;
  /** A second SPIRE server, of another trust domain, in the same folder. */
  startPartner(trustDomain: string): Promise<SpireServer>;
  /** Ends all of it and removes the folder. */
  close(): Promise<void>;
}

export interface SpireOptions {
  /** Settings of server.conf, beside paths, port and interval. */
  readonly server?: Readonly<Record<string, string>>;
  /** Whether to run register.sh, which registers the delegate and two components. */
  readonly register?: boolean;
}

export async function startSpire(options: SpireOptions = {}): Promise<Spire> {
  const folder = await mkdtemp(join(tmpdir(), 'spire-'));
  const reaper = startReaper(folder);
  const closers: (() => Promise<void>)[] = [reaper.reap];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };

  try {
    const server = await startSpireServer({ folder: join(folder, 's'), reaper, settings: options.server ?? {} });
    closers.push(server.stop);
    const home = join(folder, 'a');
    await mkdir(home);
    await writeFile(join(home, 'bootstrap.pem'), await server.ctl('bundle show'));
    const { value: joinToken } = JSON.parse(await server.ctl('token generate', '-output', 'json'));
    await writeFile(join(home, 'join-token'), joinToken, { mode: 0o600 });
    const agentId = `spiffe://example.org/spire/agent/join_token/${joinToken}`;
    if (options.register ?? true) await register(agentId, server.socket);

    const adminSocket = join(home, 'admin/admin.sock');
    const workloadSocket = join(home, 'public/api.sock');
    const config = await fillIn('agent.conf', {
      server_port: String(server.port),
      data_dir: home,
      directory: home,
      trust_bundle_path: join(home, 'bootstrap.pem'),
      join_token_file: join(home, 'join-token'),
      socket_path: workloadSocket,
      admin_socket_path: adminSocket,
      sync_interval: '1s',
    });
    await writeFile(join(home, 'agent.conf'), config);
    const agent = createProgram({
      file: spirePrograms().agent,
      args: ['run', '-config', join(home, 'agent.conf')],
      logFile: join(home, 'agent.log'),
      reaper,
      isReady: () => accepts(adminSocket),
    });
    closers.push(agent.stop);
    await agent.start();

    return {
      folder,
      server,
      agent,
      adminSocket,
      workloadSocket,
      async createEntry({ id, spiffeId, selectors, flags = [] }) {
        const selectorFlags = selectors.flatMap((selector) => ['-selector', selector]);
        const who = ['-entryID', id, '-parentID', agentId, '-spiffeID', spiffeId];
        await server.ctl('entry create', ...who, ...selectorFlags, ...flags);
      },
      deleteEntry: async (id) => void (await server.ctl('entry delete', '-entryID', id)),
      async startPartner(trustDomain) {
        const settings = { trust_domain: trustDomain, jwt_issuer: `https://oidc.${trustDomain}` };
        const partner = await startSpireServer({ folder: join(folder, 'p'), reaper, settings });
        closers.push(partner.stop);
        return partner;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function register(agentId: string, serverSocket: string): Promise<void> {
  const env = {
    PATH: process.env['PATH'],
    AGENT_ID: agentId,
    SPIRE_SERVER: spirePrograms().server,
    SERVER_SOCKET: serverSocket,
    DELEGATE_SELECTOR: OUR_SELECTOR,
  };
  const { code, stdout, stderr } = await runProgram('sh', [deployPath('register.sh')], { env });
  if (code !== 0) throw new Error(`register.sh: ${stderr || stdout}`);
}
