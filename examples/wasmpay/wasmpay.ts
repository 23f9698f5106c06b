import { Fields, type IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam } from 'wasi:http/types@0.2.12';
import { Failure } from './failure.ts';
import { claims } from './identity.ts';
import { PAGE } from './page.ts';
import { readText } from './read-text.ts';
import { tellStory, type Way } from './story.ts';
import { writeText } from './write-text.ts';

/** Either a page, or something that is sent as JSON. */
interface Answer {
  readonly status: number;
  readonly type: 'application/json' | 'text/html; charset=utf-8';
  readonly text: string;
}

const STORY_PATH = '/api/v1/story/';
const WAYS: readonly string[] = ['exchange', 'credentials', 'inject'] satisfies Way[];

/** `wasi:http/incoming-handler`: the host calls it once for each request, each time in a fresh instance. */
export const incomingHandler = {
  async handle(request: IncomingRequest, responseOut: ResponseOutparam): Promise<void> {
    const { status, type, text } = await answer(request).catch(failed);
    const encoder = new TextEncoder();
    const response = new OutgoingResponse(
      Fields.fromList([
        ['content-type', encoder.encode(type)],
        ['cache-control', encoder.encode('no-store')],
      ]),
    );
    response.setStatusCode(status);
    const body = response.body();
    // From here on the answer is on its way, and the body is written while the host sends it.
    ResponseOutparam.set(responseOut, { tag: 'ok', val: response });
    writeText(body, text);
    OutgoingBody.finish(body, undefined);
  },
};

async function answer(request: IncomingRequest): Promise<Answer> {
  const [path = ''] = (request.pathWithQuery() ?? '/').split('?');
  const method = request.method().tag;
  if (path === '/') {
    expect(method, 'get');
    return { status: 200, type: 'text/html; charset=utf-8', text: PAGE };
  }
  if (path === '/api/v1/token') {
    expect(method, 'get');
    return json(200, { claims: claims() });
  }
  const way = path.startsWith(STORY_PATH) ? path.slice(STORY_PATH.length) : '';
  if (isWay(way)) {
    expect(method, 'post');
    return json(200, await tellStory(way, promptOf(readText(request.consume(), 'request'))));
  }
  throw new Failure(
    404,
    'request',
    'not-found',
    'there is /, /api/v1/token and /api/v1/story/{exchange,credentials,inject}',
  );
}

function failed(thrown: unknown): Answer {
  if (!(thrown instanceof Failure)) {
    // Not the error itself: it may quote what it was about. stderr is in the host's log, under this component's name.
    console.error('wasmpay failed:', thrown instanceof Error ? thrown.name : typeof thrown);
    return json(500, { error: { from: 'component', code: 'internal', message: 'the component failed' } });
  }
  const { status, from, code, message } = thrown;
  return json(status, { error: { from, code, message } });
}

function expect(method: string, expected: 'get' | 'post'): void {
  if (method === expected) return;
  throw new Failure(405, 'request', 'method-not-allowed', `this route answers ${expected.toUpperCase()}`);
}

function promptOf(text: string): string {
  try {
    const { prompt } = JSON.parse(text);
    if (typeof prompt === 'string' && prompt !== '') return prompt;
  } catch {
    // The same answer as to JSON of another shape.
  }
  throw new Failure(400, 'request', 'invalid', 'expected a JSON object with a text "prompt"');
}

function isWay(text: string): text is Way {
  return WAYS.includes(text);
}

function json(status: number, value: unknown): Answer {
  return { status, type: 'application/json', text: `${JSON.stringify(value)}\n` };
}
