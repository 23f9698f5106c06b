import { relative } from 'node:path';
import { z } from 'zod';
import { builtExample } from '../build-cache.ts';
import { printFields, printStep } from './print.ts';
import { type StartedProgram, startNode } from './start-node.ts';

const PROMPT = 'a payment that arrived on time';

/** The ways to a story, in the order in which they are shown. */
const WAYS = {
  exchange: 'A story from a model: it takes its token to AWS STS itself, and signs with what STS gives',
  credentials: 'Another: it signs with credentials that its host gives it',
  inject: 'Another: it signs nothing and holds nothing, its host signs what it sends',
} as const;

const readyLine = z.object({ url: z.url() });
const tokenAnswer = z.object({ claims: z.object({ sub: z.string(), aud: z.array(z.string()) }) });
const storyAnswer = z.object({ story: z.string() });

/** Who the model has told its stories to: the ARNs of the sessions that signed. */
export type Callers = Readonly<Record<keyof typeof WAYS, string>>;

/** wasmPay behind HTTP, on its way while other steps of the demo are shown. */
export interface WasmpayDemo {
  /**
   * Runs it, as soon as it is built.
   * @param svidx the program
   * @param socket the private socket of the service
   */
  run(svidx: string, socket: string): void;
  /** Shows the steps of the demo that are about it, from this number on. It must have been told to run. */
  show(number: number): Promise<Callers>;
  /** Ends what there is of it, and waits for that. */
  end(): Promise<void>;
}

/** Begins to build wasmPay, unless it has been built before. */
export function startWasmpayDemo(signal: AbortSignal): WasmpayDemo {
  const ending = new AbortController();
  const either = AbortSignal.any([signal, ending.signal]);
  const built = builtExample('wasmpay', either);
  let program: StartedProgram | undefined;
  let running: Promise<z.infer<typeof readyLine>> | undefined;
  // Whoever shows it has its failure; until then that is nobody's.
  built.catch(() => {});

  async function start(svidx: string, socket: string): Promise<z.infer<typeof readyLine>> {
    const component = await built;
    either.throwIfAborted();
    const args = [svidx, 'run', component, '--component', 'wasmpay', '--listen', '127.0.0.1:0', '--json'];
    program = startNode(args, { ...process.env, SVIDX_SOCKET: socket });
    return readyLine.parse(JSON.parse(await program.firstLine(either)));
  }

  async function ask(url: string, init: RequestInit = {}): Promise<unknown> {
    const response = await fetch(url, { ...init, signal: either });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`wasmPay answered with ${response.status}: ${text}`);
    return JSON.parse(text);
  }

  /** Shows one story, and who it was told to. */
  async function showStory(number: number, way: keyof typeof WAYS, base: string): Promise<string> {
    const url = `${base}/api/v1/story/${way}`;
    const body = JSON.stringify({ prompt: PROMPT });
    printStep(number, WAYS[way], `curl ${url} -d '${body}'`);
    const { story } = storyAnswer.parse(await ask(url, { method: 'POST', body }));
    const [, told, caller] = /^(.+) \(Told to (\S+)\.\)$/.exec(story) ?? [];
    if (caller === undefined) throw new Error(`the story does not say who it was told to: ${story}`);
    printFields({ 'signed by': caller, story: told });
    return caller;
  }

  return {
    run(svidx, socket) {
      running = start(svidx, socket);
      running.catch(() => {});
    },

    async show(number) {
      printStep(number, 'Build a component behind HTTP', 'node examples/build-example.ts wasmpay wasmpay.wasm');
      printFields({ component: relative(process.cwd(), await built) });

      printStep(number + 1, 'Run it', 'svidx run wasmpay.wasm --component wasmpay --listen 127.0.0.1:0');
      if (running === undefined) throw new Error('wasmPay was not told to run');
      const { url } = await running;
      printFields({ url });

      printStep(number + 2, 'It says who it is', `curl ${url}/api/v1/token`);
      const { sub, aud } = tokenAnswer.parse(await ask(`${url}/api/v1/token`)).claims;
      printFields({ sub, aud: aud.join(', ') });

      return {
        exchange: await showStory(number + 3, 'exchange', url),
        credentials: await showStory(number + 4, 'credentials', url),
        inject: await showStory(number + 5, 'inject', url),
      };
    },

    async end() {
      ending.abort();
      await Promise.allSettled([built, running]);
      await program?.end();
    },
  };
}
