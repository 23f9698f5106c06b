import { z } from 'zod';

/** One audience of a JWT-SVID, as policies write it. AWS takes at most 255 characters, the narrowest of the clouds. */
export const audienceText = z
  .string()
  .min(1, 'expected an audience, not an empty text')
  .max(255)
  .regex(/^\P{Cc}*$/u, 'expected an audience without control characters');
