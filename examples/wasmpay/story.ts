import { type AwsCredentials, exchangedCredentials, grantedCredentials, signed } from './aws.ts';
import { config } from './config.ts';
import { answered, Failure } from './failure.ts';
import { post, type Request, type Response } from './http-client.ts';

/** How the request to the model gets its signature. */
export type Way = 'exchange' | 'credentials' | 'inject';

export interface Story {
  readonly way: Way;
  readonly model: string;
  readonly story: string;
}

/** Where the credentials are from. With `inject` there are none in here: the host signs what this component sends. */
const CREDENTIALS: Readonly<Record<Way, () => AwsCredentials | undefined>> = {
  exchange: exchangedCredentials,
  credentials: grantedCredentials,
  inject: () => undefined,
};

/**
 * Asks the model for a story (Bedrock runtime API reference, InvokeModel).
 * @throws Failure when the host, STS or the model refuses
 */
export async function tellStory(way: Way, prompt: string): Promise<Story> {
  const model = config('MODEL_ID');
  const request: Request = {
    // What is sent to the one URL is signed here; what is sent to the other, by the host.
    url: new URL(`/model/${encodeURIComponent(model)}/invoke`, config(way === 'inject' ? 'INJECT_URL' : 'MODEL_URL')),
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({
      anthropic_version: 'bedrock-2023-05-31',
      max_tokens: 300,
      messages: [{ role: 'user', content: prompt }],
    }),
  };
  const credentials = CREDENTIALS[way]();
  const response = post(credentials === undefined ? request : await signed(request, credentials));
  return { way, model, story: textOf(response) };
}

function textOf({ status, text, header }: Response): string {
  if (status !== 200) {
    const [code = ''] = header('x-amzn-errortype').split(':');
    throw answered('model', status, code);
  }
  const story = storyIn(text);
  if (story !== undefined) return story;
  throw new Failure(502, 'model', 'unexpected', 'the model endpoint answered with something else than a text');
}

function storyIn(text: string): string | undefined {
  try {
    const story: unknown = JSON.parse(text).content[0].text;
    return typeof story === 'string' ? story : undefined;
  } catch {
    return undefined;
  }
}
