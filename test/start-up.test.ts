// Owns the promises of the self-check: what production must not run on is refused, what an operator must know is said.

import { expect, it, vi } from 'vitest';
import { createLogger } from '../src/http/logger.ts';
import { Outage } from '../src/sessions/errors.ts';
import { RingUnreadable } from '../src/sessions/signing-keys.ts';
import { judgeRedis, StartRefused, waitForStore } from '../src/start-up.ts';

const good = {
  version: '7.4.1',
  evictionPolicy: 'noeviction',
  durability: 'everysec',
  replicas: 0,
};
const production = { production: true, allowEviction: false, waitReplicas: 0 };
const silent = createLogger('silent');

it('a Redis that keeps its promises is used without a word', () => {
  expect(judgeRedis(good, 0, production)).toEqual({ refusals: [], warnings: [] });
});

it.each(['allkeys-lru', 'volatile-ttl', 'unknown'])(
  'production refuses a Redis that may evict live sessions (%s)',
  (evictionPolicy) => {
    const evicting = { ...good, evictionPolicy };
    expect(judgeRedis(evicting, 0, production).refusals).toHaveLength(1);
    for (const milder of [
      { ...production, production: false },
      { ...production, allowEviction: true },
    ]) {
      const { refusals, warnings } = judgeRedis(evicting, 0, milder);
      expect(refusals).toEqual([]);
      expect(warnings.join()).toContain(evictionPolicy);
    }
  },
);

it('a Redis that is too old is refused everywhere', () => {
  const old = { ...good, version: '6.2.14' };
  expect(
    judgeRedis(old, 0, { ...production, production: false, allowEviction: true }).refusals,
  ).toHaveLength(1);
});

it.each(['memory', 'snapshot', 'no', 'unknown'])(
  'whoever loses sessions at a restart is told so (%s)',
  (durability) => {
    expect(judgeRedis({ ...good, durability }, 0, production).warnings.join()).toContain(
      durability,
    );
  },
);

it('a clock far from that of the store is said, in either direction', () => {
  for (const skewMs of [3_600_000, -3_600_000]) {
    expect(judgeRedis(good, skewMs, production).warnings).toHaveLength(1);
  }
});

it('whoever waits for more replicas than there are is told so, and of no other number', () => {
  const warningsOf = (replicas: number, waitReplicas: number) =>
    judgeRedis({ ...good, replicas }, 0, { ...production, waitReplicas }).warnings;
  for (const [replicas, wait] of [
    [0, 1],
    [1, 2],
  ] as const) {
    expect(warningsOf(replicas, wait).join()).toMatch(`REDIS_WAIT_REPLICAS`);
    expect(warningsOf(replicas, wait).join()).toContain(`(${replicas})`);
  }
  for (const replicas of [1, 2]) expect(warningsOf(replicas, 1)).toEqual([]);
});

it('the start waits for a store that comes late, and gives up after half a minute', async () => {
  vi.useFakeTimers();
  try {
    let nowMs = 0;
    const monotonicMs = () => nowMs;
    let attempts = 0;
    const late = waitForStore(
      async () => {
        if (++attempts < 4) throw new Outage('not yet');
        return 'there';
      },
      silent,
      monotonicMs,
    );
    await vi.advanceTimersByTimeAsync(1000);
    expect(await late).toBe('there');

    const never = waitForStore(
      async () => {
        nowMs += 20_000;
        throw new Outage('inspect: ECONNREFUSED');
      },
      silent,
      monotonicMs,
    );
    const refused = expect(never).rejects.toThrow(/30 s \(inspect: ECONNREFUSED\)/);
    await vi.advanceTimersByTimeAsync(5000);
    await refused;
    await expect(never).rejects.toBeInstanceOf(StartRefused);
  } finally {
    vi.useRealTimers();
  }
});

it('a ring under another SECRET, or a defect, is not waited for', async () => {
  for (const error of [new RingUnreadable(), new TypeError('a defect')]) {
    const attempt = vi.fn().mockRejectedValue(error);
    await expect(waitForStore(attempt, silent, () => 0)).rejects.toBe(error);
    expect(attempt).toHaveBeenCalledOnce();
  }
});
