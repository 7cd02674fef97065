// Owns the operations on session types: policy of a product's tag, versioned, changed by compare-and-swap, and what is in force of it.

import type { Clock, RandomBytes } from './ambient.ts';
import { canonicalJson } from './canonical-json.ts';
import { type CheckInput, type CheckReport, checkType } from './check-type.ts';
import { withDeadline } from './deadline.ts';
import type { DocumentStore } from './document-store.ts';
import { Outage, Refusal } from './errors.ts';
import type { EmitEvent } from './events.ts';
import type { LifetimePolicy } from './rotation.ts';
import type { SessionStore } from './session-store.ts';
import { policyOf, type SessionType, type TypePolicy, typeFaults } from './session-type.ts';
import { createTextCache } from './text-cache.ts';

export interface StoredType {
  /** Random, new at every change. */
  readonly version: string;
  readonly type: SessionType;
}

/** Versions a caller names, or `any` for whatever there is. */
export type Versions = readonly string[] | 'any';

/** What must hold for a change to be made. */
export interface Precondition {
  readonly ifMatch?: Versions | undefined;
  readonly ifNoneMatch?: Versions | undefined;
}

export interface TypePut extends StoredType {
  readonly outcome: 'created' | 'changed' | 'unchanged';
}

export interface SessionTypesDeps {
  readonly store: DocumentStore;
  readonly sessions: Pick<SessionStore, 'listTag'>;
  readonly defaults: LifetimePolicy;
  /** Whether sessions start only under tags that have a type. */
  readonly required: boolean;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Resolves after `ms` milliseconds. */
  readonly pause: (ms: number) => Promise<void>;
  readonly randomBytes: RandomBytes;
  readonly emit: EmitEvent;
}

const FORMAT = 1;
const VERSION_BYTES = 12;
/** A loser of a race finds the winner's type at its next read. */
const MAX_ROUNDS = 8;
const OPERATION_DEADLINE_MS = 1300;
const MAX_FAULTS = 32;

const encode = ({ version, type }: StoredType): string =>
  JSON.stringify({ format: FORMAT, version, type });

function decode(text: string): StoredType {
  const { format, version, type } = JSON.parse(text) as StoredType & { readonly format: number };
  if (format !== FORMAT) throw new Outage('session type: of a format unknown to this program');
  return { version, type };
}

const isAmong = (versions: Versions, found: StoredType | undefined): boolean =>
  found !== undefined && (versions === 'any' || versions.includes(found.version));

function requirePrecondition(precondition: Precondition, found: StoredType | undefined): void {
  const { ifMatch, ifNoneMatch } = precondition;
  const refused =
    (ifMatch !== undefined && !isAmong(ifMatch, found)) ||
    (ifNoneMatch !== undefined && isAmong(ifNoneMatch, found));
  if (refused) throw new Refusal({ code: 'precondition_failed' });
}

/** `place`: where the type stands in what the caller sent. */
function requireFaultless(type: SessionType, defaults: LifetimePolicy, place = ''): void {
  const faults = typeFaults(type, defaults).slice(0, MAX_FAULTS);
  if (faults.length === 0) return;
  throw new Refusal({
    code: 'invalid_session_type',
    faults: faults.map(({ pointer, detail }) => ({ pointer: place + pointer, detail })),
  });
}

/** Reads, and changes by compare-and-swap, until nobody was faster. */
async function untilUncontested<T>(
  deps: SessionTypesDeps,
  product: string,
  tag: string,
  attempt: (text: string | undefined) => Promise<T | undefined>,
): Promise<T> {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const done = await attempt(await deps.store.readDocument(product, tag));
    if (done !== undefined) return done;
  }
  throw new Outage('session type: it changed under every attempt');
}

function putType(
  deps: SessionTypesDeps,
  product: string,
  tag: string,
  type: SessionType,
  precondition: Precondition,
): Promise<TypePut> {
  return untilUncontested(deps, product, tag, async (text) => {
    const found = text === undefined ? undefined : decode(text);
    requirePrecondition(precondition, found);
    const same = found !== undefined && canonicalJson(found.type) === canonicalJson(type);
    // Written also if it is the same: the call that wrote it may never have learned whether it was safe.
    const stored = same
      ? found
      : { version: deps.randomBytes(VERSION_BYTES).toString('base64url'), type };
    const outcome = await deps.store.replaceDocument(
      product,
      tag,
      text,
      same && text !== undefined ? text : encode(stored),
    );
    if (outcome === 'full') throw new Refusal({ code: 'session_type_limit_reached' });
    if (outcome === 'stale') return undefined;
    return { ...stored, outcome: same ? 'unchanged' : found ? 'changed' : 'created' };
  });
}

function removeType(
  deps: SessionTypesDeps,
  product: string,
  tag: string,
  precondition: Precondition,
): Promise<'removed' | 'gone'> {
  return untilUncontested(deps, product, tag, async (text) => {
    requirePrecondition(precondition, text === undefined ? undefined : decode(text));
    const removed = await deps.store.removeDocument(product, tag, text ?? '');
    if (!removed) return undefined;
    return text === undefined ? 'gone' : 'removed';
  });
}

/** The policy of a stored text. A schema that a later version let in is an outage here, and no reason to start without it. */
function policyInForce(text: string | undefined, defaults: LifetimePolicy): TypePolicy {
  const type = text === undefined ? undefined : decode(text).type;
  try {
    return policyOf(type, defaults);
  } catch {
    throw new Outage('session type: its schema is not accepted by this program');
  }
}

/** All operations may reject with Outage. */
export function createSessionTypes(deps: SessionTypesDeps) {
  const { store, defaults } = deps;
  const inTime = <T>(name: string, work: Promise<T>) =>
    withDeadline(work, OPERATION_DEADLINE_MS, name);
  const cache = createTextCache<TypePolicy>({
    read: (product, tag) => inTime('read type', store.readDocument(product, tag)),
    make: (text) => policyInForce(text, defaults),
    clock: deps.clock,
  });

  async function put(product: string, tag: string, type: SessionType, precondition: Precondition) {
    requireFaultless(type, defaults);
    const done = await inTime('put type', putType(deps, product, tag, type, precondition));
    cache.forget(product, tag);
    if (done.outcome !== 'unchanged') deps.emit({ name: 'session_type_changed', product, tag });
    return done;
  }

  return {
    required: deps.required,
    /** What is in force under a tag, at most a few seconds old. Rejects with Outage if that cannot be told. */
    policyFor: cache.get,
    /** Rejects with Refusal `invalid_session_type`, `precondition_failed` or `session_type_limit_reached`. */
    put,
    /** Rejects with Refusal `session_type_not_found`. */
    async get(product: string, tag: string): Promise<StoredType> {
      const text = await inTime('read type', store.readDocument(product, tag));
      if (text === undefined) throw new Refusal({ code: 'session_type_not_found' });
      return decode(text);
    },
    /** In order of their tags. */
    async list(product: string): Promise<readonly (StoredType & { readonly tag: string })[]> {
      const found = await inTime('list types', store.listDocuments(product));
      const tags = [...found.keys()].sort();
      return tags.map((tag) => ({ tag, ...decode(found.get(tag) as string) }));
    },
    /** Also when there is none. Rejects with Refusal `precondition_failed`. */
    async remove(product: string, tag: string, precondition: Precondition): Promise<void> {
      const outcome = await inTime('remove type', removeType(deps, product, tag, precondition));
      cache.forget(product, tag);
      if (outcome === 'removed') deps.emit({ name: 'session_type_removed', product, tag });
    },
    /** How many live sessions a proposed type would find fault with. Rejects with Refusal `invalid_session_type`. */
    async check(input: CheckInput): Promise<CheckReport> {
      requireFaultless(input.type, defaults, '/type');
      return inTime('check type', checkType(deps, input));
    },
  };
}

export type SessionTypes = ReturnType<typeof createSessionTypes>;
