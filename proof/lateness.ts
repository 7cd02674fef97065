// Owns how late the proof itself is: what it takes on a full machine to send a request and to see its answer is none of the service's time.

const EVERY_MS = 20;

export interface Lateness {
  /**
   * The longest that this process was kept from sending what began at the first moment, or from seeing what came before the last. A
   * standstill between them hides nothing. Milliseconds, the moments since the epoch.
   */
  most(fromMs: number, untilMs: number): number;
  /** The longest standstill of all. Milliseconds. */
  longest(): number;
  stop(): void;
}

export function watchLateness(): Lateness {
  const standstills: { readonly fromMs: number; readonly untilMs: number }[] = [];
  let dueMs = Date.now() + EVERY_MS;
  const timer = setInterval(() => {
    const nowMs = Date.now();
    if (nowMs - dueMs > EVERY_MS) standstills.push({ fromMs: dueMs, untilMs: nowMs });
    dueMs = nowMs + EVERY_MS;
  }, EVERY_MS);
  return {
    most: (fromMs, untilMs) =>
      Math.max(
        0,
        ...standstills
          .filter((each) => each.fromMs <= fromMs + EVERY_MS || each.untilMs >= untilMs - EVERY_MS)
          .map((each) => Math.min(untilMs, each.untilMs) - Math.max(fromMs, each.fromMs)),
      ),
    longest: () => Math.max(0, ...standstills.map((each) => each.untilMs - each.fromMs)),
    stop: () => clearInterval(timer),
  };
}
