// Owns the rehearsal of a session type: how many sessions of a sample would break it, told without showing what is in them.

import type { Clock } from './ambient.ts';
import { claimsFaults, projectClaims } from './claims.ts';
import { compileDetailsCheck } from './details-check.ts';
import type { Fault } from './errors.ts';
import type { Session } from './session.ts';
import type { SessionStore, TagPosition } from './session-store.ts';
import type { SessionType } from './session-type.ts';

export interface CheckInput {
  readonly product: string;
  readonly env: string;
  readonly tag: string;
  readonly type: SessionType;
  /** Sessions looked at, at most. */
  readonly sample: number;
}

export interface CheckReport {
  /** Fewer than asked for if there are no more, or if time was short. */
  readonly sampled: number;
  readonly breaking: number;
  /** The commonest first. */
  readonly faults: readonly (Fault & { readonly count: number })[];
}

const PAGE = 100;
const MAX_REPORTED = 32;
/** Leaves time for the answer within the deadline of the operation. */
const TIME_MS = 900;
/** After so long others get their turn. */
const TURN_MS = 10;

/** Every text of a schema, names and values: what its author knows already. */
function textsOf(value: unknown, texts: Set<string> = new Set()): ReadonlySet<string> {
  if (typeof value === 'string') texts.add(value);
  else if (typeof value === 'object' && value !== null) {
    for (const [name, each] of Object.entries(value)) {
      if (!Array.isArray(value)) texts.add(name);
      textsOf(each, texts);
    }
  }
  return texts;
}

/** Members that the type does not name are the users' own, and shown as `*`; so are places in a list, to count them together. */
const veil = (pointer: string, known: ReadonlySet<string>): string =>
  pointer
    .split('/')
    .map((step, i) => {
      const name = step.replaceAll('~1', '/').replaceAll('~0', '~');
      return i === 0 || known.has(name) ? step : '*';
    })
    .join('/');

/** What the type finds wrong with one session; each kind of fault once. */
function createJudge({ detailsSchema, claims = [] }: SessionType) {
  const check = detailsSchema && compileDetailsCheck(detailsSchema);
  const known = textsOf([detailsSchema, claims]);
  return ({ details }: Session): ReadonlyMap<string, Fault> => {
    const faults = [...(check?.(details) ?? []), ...claimsFaults(projectClaims(details, claims))];
    const veiled = faults.map(({ pointer, detail }) => ({
      pointer: veil(pointer, known),
      detail,
    }));
    return new Map(veiled.map((fault) => [`${fault.pointer}\n${fault.detail}`, fault]));
  };
}

async function* sampleOf(
  store: Pick<SessionStore, 'listTag'>,
  { product, env, tag, sample }: CheckInput,
): AsyncGenerator<Session> {
  // A walk may meet a session twice that was refreshed meanwhile.
  const met = new Set<string>();
  let after: TagPosition | undefined;
  do {
    const limit = Math.min(PAGE, sample - met.size);
    const { sessions, next } = await store.listTag({ product, env, tag, limit, after });
    for (const session of sessions) {
      if (met.has(session.sessionId)) continue;
      met.add(session.sessionId);
      yield session;
    }
    after = next;
  } while (after !== undefined && met.size < sample);
}

/** Looks at live sessions under the tag. The type must be without faults. */
export async function checkType(
  deps: {
    readonly sessions: Pick<SessionStore, 'listTag'>;
    readonly clock: Pick<Clock, 'monotonicMs'>;
    /** Resolves after `ms` milliseconds. */
    readonly pause: (ms: number) => Promise<void>;
  },
  input: CheckInput,
): Promise<CheckReport> {
  const judge = createJudge(input.type);
  const endMs = deps.clock.monotonicMs() + TIME_MS;
  let turnEndsMs = deps.clock.monotonicMs() + TURN_MS;
  const counts = new Map<string, { readonly fault: Fault; count: number }>();
  let sampled = 0;
  let breaking = 0;
  for await (const session of sampleOf(deps.sessions, input)) {
    const faults = judge(session);
    sampled++;
    if (faults.size > 0) breaking++;
    for (const [key, fault] of faults) {
      const known = counts.get(key);
      if (known) known.count++;
      else counts.set(key, { fault, count: 1 });
    }
    if (deps.clock.monotonicMs() > endMs) break;
    if (deps.clock.monotonicMs() > turnEndsMs) {
      await deps.pause(0);
      turnEndsMs = deps.clock.monotonicMs() + TURN_MS;
    }
  }
  const faults = [...counts.values()]
    .sort((a, b) => b.count - a.count)
    .slice(0, MAX_REPORTED)
    .map(({ fault, count }) => ({ ...fault, count }));
  return { sampled, breaking, faults };
}
