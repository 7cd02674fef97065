// Owns the result: a table of classes, and findings, each kind once with its smallest request.

export interface Row {
  readonly requests: number;
  readonly refused: number;
  readonly accepted: number;
  readonly findings: number;
}

export interface Finding {
  readonly class: string;
  readonly operation: string;
  readonly what: string;
  /** The request as JSON, to send again by hand. */
  readonly reproduction: string;
  readonly times: number;
}

export interface Report {
  readonly table: Readonly<Record<string, Row>>;
  readonly findings: readonly Finding[];
  readonly maxLoopDelaySeconds: number;
  readonly logLines: number;
}

export interface Ledger {
  count(name: string, accepted: boolean): void;
  find(found: Omit<Finding, 'times'>): void;
  table(): Readonly<Record<string, Row>>;
  findings(): readonly Finding[];
}

export function createLedger(classes: readonly string[]): Ledger {
  const empty: Row = { requests: 0, refused: 0, accepted: 0, findings: 0 };
  const rows = new Map(classes.map((name) => [name, empty]));
  const found = new Map<string, Finding>();
  const rowOf = (name: string): Row => rows.get(name) ?? empty;
  return {
    count(name, accepted) {
      const row = rowOf(name);
      rows.set(name, {
        ...row,
        requests: row.requests + 1,
        refused: row.refused + (accepted ? 0 : 1),
        accepted: row.accepted + (accepted ? 1 : 0),
      });
    },
    find(one) {
      const row = rows.get(one.class);
      if (row) rows.set(one.class, { ...row, findings: row.findings + 1 });
      const key = JSON.stringify([one.class, one.operation, one.what]);
      const before = found.get(key);
      const shorter =
        before && before.reproduction.length <= one.reproduction.length ? before : one;
      found.set(key, { ...shorter, times: (before?.times ?? 0) + 1 });
    },
    table: () => Object.fromEntries(rows),
    findings: () => [...found.values()],
  };
}

export function printReport({ table, findings, maxLoopDelaySeconds, logLines }: Report): void {
  console.table(table);
  const total = Object.values(table).reduce((sum, { requests }) => sum + requests, 0);
  console.log(
    `${total} requests; event loop at most ${maxLoopDelaySeconds.toFixed(3)} s late; ${logLines} lines of log, each one JSON object`,
  );
  for (const { class: name, operation, what, reproduction, times } of findings) {
    console.log(`\nFINDING (${times}×) ${name}, ${operation}: ${what}\n  ${reproduction}`);
  }
  console.log(findings.length === 0 ? 'No finding.' : `\n${findings.length} findings.`);
}
