import { z } from 'zod';
import { parseJson } from '../../base/json.ts';
import { ModelError } from './errors.ts';

const text = z.string().min(1).max(100_000);

/** Of Anthropic's Messages API, as Bedrock takes it; content is a text, or blocks of which only texts are known here. */
const invokeDocument = z.looseObject({
  max_tokens: z.int().min(1).max(1_000_000),
  messages: z
    .array(
      z.object({
        role: z.enum(['user', 'assistant']),
        content: z.union([text, z.array(z.object({ type: z.literal('text'), text })).min(1)]),
      }),
    )
    .min(1)
    .max(100),
});

/**
 * What a model is asked (Bedrock user guide, Anthropic Claude Messages API).
 * @returns the last text of the last message
 * @throws ModelError `ValidationException`
 */
export function parsePrompt(body: Uint8Array): string {
  const parsed = invokeDocument.safeParse(parseJson(Buffer.from(body)));
  const content = parsed.data?.messages.at(-1)?.content;
  const prompt = typeof content === 'string' ? content : content?.at(-1)?.text;
  if (prompt !== undefined) return prompt;
  throw new ModelError(
    400,
    'ValidationException',
    'Malformed input request, please reformat your input and try again.',
  );
}
