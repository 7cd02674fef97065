// Owns the promise that a caller who hangs up while its key is looked up is nobody's error.

import Fastify, { type FastifyRequest } from 'fastify';
import { expect, it } from 'vitest';
import { createRateLimits } from '../../src/http/rate-limits.ts';

it('a refused key from a connection that is gone is not counted', async () => {
  const app = Fastify();
  const { onRefusedKey } = await createRateLimits(app, { failuresPerMinute: 1 });
  await app.ready();
  const gone = { ip: undefined } as unknown as FastifyRequest;
  await expect(onRefusedKey(gone)).resolves.toBeUndefined();
  await app.close();
});
