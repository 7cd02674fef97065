// Owns what an operator has set up before people live: a type for their tag, and an API key for every second of them.

import type { World } from './worlds.ts';

/** Answers the key. */
export async function administer({ services: [service] }: World): Promise<string> {
  const type = { claims: ['mark'], maxSessionsPerUser: 3, onLimit: 'evict_oldest' };
  const put = await service.call('/session-types/my-app/user-session', type, 'PUT');
  const permissions = ['issue', 'refresh', 'verify', 'revoke', 'read'];
  const made = await service.call('/api-keys', { name: 'lives', permissions, product: 'my-app' });
  if (!put.ok || !made.ok) throw new Error(`administering: ${put.status}, ${made.status}`);
  return ((await made.json()) as { key: string }).key;
}
