// Owns how late the proof itself is: what it takes on a full machine to send a request and to see its answer is none of the service's time.

const EVERY_MS = 20;

export interface Lateness {
  /** The longest that this process was kept from its work at one time between two moments. Milliseconds, the moments since the epoch. */
  most(fromMs: number, untilMs: number): number;
  stop(): void;
}

export function watchLateness(): Lateness {
  const delays: { readonly fromMs: number; readonly untilMs: number }[] = [];
  let dueMs = Date.now() + EVERY_MS;
  const timer = setInterval(() => {
    const nowMs = Date.now();
    if (nowMs - dueMs > EVERY_MS) delays.push({ fromMs: dueMs, untilMs: nowMs });
    dueMs = nowMs + EVERY_MS;
  }, EVERY_MS);
  return {
    most: (fromMs, untilMs) =>
      Math.max(
        0,
        ...delays.map((each) => Math.min(untilMs, each.untilMs) - Math.max(fromMs, each.fromMs)),
      ),
    stop: () => clearInterval(timer),
  };
}
