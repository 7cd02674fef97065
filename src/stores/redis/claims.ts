// Owns the port of claims on Redis.

import type { ClaimStore } from '../../sessions/claim-store.ts';
import { claimKey, sessionKey } from './keys.ts';
import type { ScriptRunner } from './run-script.ts';

export const createRedisClaims = ({ run, runDurably }: ScriptRunner): ClaimStore => ({
  async readClaim(name) {
    const [, , text] = (await run('read', [claimKey(name)])) as unknown[];
    return Buffer.isBuffer(text) ? text.toString() : undefined;
  },
  async claim(name, text, ttlMs) {
    // Redis keeps a key up to and at the moment it expires.
    const args = [text, ttlMs - 1];
    const [found] = await runDurably('claim', { keys: [claimKey(name)], args });
    return { text: String(found), mine: String(found) === text };
  },
  async replaceClaim(name, current, next) {
    const call = { keys: [claimKey(name)], args: [current, next ?? ''] };
    const [replaced] = await runDurably('replaceClaim', call);
    return Number(replaced) === 1;
  },
  async forbid(locator) {
    const [forbidden] = await runDurably('forbid', { keys: [sessionKey(locator)] });
    return Number(forbidden) === 1;
  },
});
