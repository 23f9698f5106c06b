import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Listener } from '../../http/listener.ts';
import type { Session, Sessions } from '../aws/sessions.ts';
import { SignatureError, verifySignature } from '../aws/signature.ts';
import { readSignedRequest, type SignedRequest } from '../aws/signed-request.ts';
import { ModelError, signatureError } from './errors.ts';
import { parsePrompt } from './invoke-request.ts';
import { tellStory } from './tell-story.ts';

export interface LocalModelOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly sessions: Sessions;
  /** The regions it is in. */
  regions(): Promise<ReadonlySet<string>>;
}

const MAX_BODY_BYTES = 1024 * 1024;

const INVOKE_PATH = /^\/model\/([^/?]+)\/invoke$/;

/** A model, or an inference profile, by its ID or its ARN (Bedrock runtime API reference, InvokeModel). */
const MODEL_ID = /^[A-Za-z0-9][A-Za-z0-9.:/_-]{0,2047}$/;

/**
 * A local model endpoint for development. It takes InvokeModel as Amazon Bedrock does, signed with credentials of the local
 * STS by a role that may invoke models, answers with a short story, and refuses with Bedrock's codes (restJson1 protocol).
 */
export function serveLocalModel(listener: Listener, options: LocalModelOptions): void {
  const { clock, logger, sessions, regions } = options;

  listener.handle((incoming, response) => {
    const headers = { 'Content-Type': 'application/json', 'x-amzn-RequestId': randomUUID() };
    answer(incoming).then(
      (body) => {
        response.writeHead(200, headers).end(JSON.stringify(body));
      },
      (thrown: unknown) => {
        if (!(thrown instanceof ModelError)) logger.error({ error: thrown }, 'the local model endpoint failed');
        const error =
          thrown instanceof ModelError ? thrown : new ModelError(500, 'InternalServerException', 'internal failure');
        response.writeHead(error.status, { ...headers, 'x-amzn-ErrorType': error.code });
        response.end(JSON.stringify({ message: error.message }));
      },
    );
  });

  async function answer(incoming: IncomingMessage): Promise<object> {
    const modelId = modelIdOf(incoming);
    const request = await readSignedRequest(incoming, MAX_BODY_BYTES);
    if (request === undefined) throw new ModelError(413, 'RequestEntityTooLargeException', 'the request is too large');
    const { session, region } = await callerOf(request);
    if (!session.role.modelRegions.has(region)) throw accessDenied(session, region, modelId);
    if (!MODEL_ID.test(modelId)) {
      throw new ModelError(400, 'ValidationException', 'The provided model identifier is invalid.');
    }
    const prompt = parsePrompt(request.body);
    logger.info({ event: 'model.invoked', model: modelId, caller: session.arn }, 'a model was invoked');
    return message(modelId, prompt, session);
  }

  async function callerOf(request: SignedRequest): Promise<{ session: Session; region: string }> {
    const expected = { service: 'bedrock', regions: await regions(), find: sessions.find, now: clock.now() };
    try {
      const { credential, region } = await verifySignature(request, expected);
      return { session: credential, region };
    } catch (error) {
      throw error instanceof SignatureError ? signatureError(error.problem) : error;
    }
  }
}

function modelIdOf({ method, url = '' }: IncomingMessage): string {
  const [, encoded = ''] = INVOKE_PATH.exec(url) ?? [];
  if (method !== 'POST' || encoded === '') {
    throw new ModelError(
      404,
      'UnknownOperationException',
      'the local model endpoint answers POST /model/{modelId}/invoke',
    );
  }
  try {
    return decodeURIComponent(encoded);
  } catch {
    throw new ModelError(400, 'ValidationException', 'The provided model identifier is invalid.');
  }
}

function accessDenied(session: Session, region: string, modelId: string): ModelError {
  const resource = `arn:aws:bedrock:${region}::foundation-model/${modelId}`;
  return new ModelError(
    403,
    'AccessDeniedException',
    `User: ${session.arn} is not authorized to perform: bedrock:InvokeModel on resource: ${resource} because no identity-based policy allows the bedrock:InvokeModel action`,
  );
}

/** Of Anthropic's Messages API. The story says who asked for it, so that whoever reads it sees whose signature arrived. */
function message(model: string, prompt: string, session: Session): object {
  const text = `${tellStory(prompt)} (Told to ${session.arn}.)`;
  return {
    id: `msg_${randomUUID()}`,
    type: 'message',
    role: 'assistant',
    model,
    content: [{ type: 'text', text }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: { input_tokens: wordsOf(prompt), output_tokens: wordsOf(text) },
  };
}

function wordsOf(text: string): number {
  return text.split(/\s+/).length;
}
