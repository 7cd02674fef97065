// Owns how much a process grows in a fault: beyond the largest that it ever was before, at full load.

import { readFileSync } from 'node:fs';
import type { World } from './worlds.ts';

const LOOK_EVERY_MS = 100;

const residentKb = (pid: number): number => {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
};

export interface Growth {
  /** From here on growth counts. */
  strike(): void;
  /** The most that any of the processes has grown, in kB. */
  stop(): number;
}

/** Watches the processes that run now. */
export function watchGrowth({ services }: World): Growth {
  const largest = new Map(services.map(({ pid }) => [pid, residentKb(pid)]));
  let struck = false;
  let most = 0;
  const timer = setInterval(() => {
    for (const [pid, kb] of largest) {
      if (struck) most = Math.max(most, residentKb(pid) - kb);
      else largest.set(pid, Math.max(kb, residentKb(pid)));
    }
  }, LOOK_EVERY_MS);
  return {
    strike() {
      struck = true;
    },
    stop() {
      clearInterval(timer);
      return most;
    },
  };
}
