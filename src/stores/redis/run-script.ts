// Owns how a script is run: under a deadline, measured, with at most so many under way, and every error of ioredis turned into an Outage.

import { withDeadline } from '../../sessions/deadline.ts';
import { Outage } from '../../sessions/errors.ts';
import { errorCode, type RedisClient, reachPrimaries } from './connect.ts';
import { fenceKeyBeside } from './keys.ts';
import { createScriptSender, type ScriptArgument, type ScriptCall } from './script-command.ts';
import { type ScriptName, scripts } from './scripts.ts';

export type RunScript = (
  name: ScriptName,
  keys: readonly string[],
  args?: readonly ScriptArgument[],
) => Promise<unknown>;

/** Told of each finished operation: its name, its seconds, whether it was an outage. */
export type ObserveOperation = (name: string, seconds: number, outage: boolean) => void;

/** One operation on the store. Shorter than the deadline of the request, so that a lost reply still leaves time for an answer. */
const DEADLINE_MS = 1000;
/** Commands under way at most: while Redis is frozen every one of them holds memory until its deadline. */
const MAX_PENDING = 10_000;
/** How long WAIT waits for replicas. */
const WAIT_MS = 500;
/** WAIT blocks all that comes behind it on its connection, so waiting writes share a few connections of their own. */
const WAITING_CONNECTIONS = 4;
/** Writes that wait at most. While replicas are missing each holds its connection for all of WAIT_MS, longer than those behind it have. */
const MAX_WAITING = 1000;

const toOutage = (operation: string, error: unknown): Outage =>
  error instanceof Outage ? error : new Outage(`${operation}: ${errorCode(error as Error)}`);

/**
 * Runs one script for each call, then a write to wait for and WAIT, in one pipeline on the node that owns the keys (WAIT sent
 * alone to a cluster goes to a random node; sent after a failover it would speak for another primary). All calls are of one
 * slot. EVAL and not EVALSHA: a script that ioredis sends again after NOSCRIPT would run behind the WAIT.
 */
async function callAndWait(
  client: RedisClient,
  replicas: number,
  name: ScriptName,
  calls: readonly ScriptCall[],
): Promise<unknown[]> {
  const { lua } = scripts[name];
  const pipeline = client.pipeline();
  for (const { keys, args = [] } of calls) {
    pipeline.callBuffer('eval', [lua, keys.length, ...keys, ...args]);
  }
  const fence = fenceKeyBeside(calls[0]?.keys[0] ?? '');
  pipeline.callBuffer('eval', [scripts.fence.lua, 1, fence]).call('wait', [replicas, WAIT_MS]);
  const results = (await pipeline.exec()) ?? [];
  for (const [error] of results) if (error) throw error;
  const replies = results.map(([, reply]) => reply);
  if (Number(replies.at(-1)) < replicas) throw new Outage(`${name}: too few replicas acknowledged`);
  return replies.slice(0, calls.length);
}

export interface ScriptRunner {
  /** Runs a script that changes nothing, or whose loss harms nobody. */
  readonly run: RunScript;
  /** Runs a script once for each call, all of one slot, and resolves only when the writes are on as many replicas as promised. */
  readonly runDurably: (name: ScriptName, ...calls: readonly ScriptCall[]) => Promise<unknown[]>;
  /** The same for one call that is sent once at most: after an outage nobody but a reader can tell whether it was carried out. */
  readonly runDurablyOnce: (name: ScriptName, call: ScriptCall) => Promise<unknown>;
  /** Resolves once every primary has answered on every connection. Rejects with Outage. */
  reach(): Promise<void>;
  close(): void;
}

export interface ScriptRunnerDeps {
  readonly client: RedisClient;
  /** Opens one more connection to the same target, for writes that wait. */
  readonly openAnother: () => RedisClient;
  /** The same, one that sends no command twice. */
  readonly openOnce: () => RedisClient;
  readonly replicas: number;
  readonly monotonicMs: () => number;
  readonly observe: ObserveOperation;
}

/** Hands out the members of a list in turn; undefined if there are none. */
function inTurn<T>(all: readonly T[]): () => T | undefined {
  let turn = 0;
  return () => all[turn++ % all.length];
}

export function createScriptRunner(deps: ScriptRunnerDeps): ScriptRunner {
  const { client, replicas, monotonicMs, observe } = deps;
  const waiting = replicas > 0 ? WAITING_CONNECTIONS : 0;
  const writers = Array.from({ length: waiting }, deps.openAnother);
  // Without replicas to wait for one connection is enough, for nothing blocks on it.
  const onceWriters = Array.from({ length: Math.max(waiting, 1) }, deps.openOnce);
  const connections = [client, ...writers, ...onceWriters];
  const nextWriter = inTurn(writers);
  const nextOnce = inTurn(onceWriters);
  const send = createScriptSender(client);
  const sendOnce = createScriptSender(onceWriters[0] as RedisClient);
  let pending = 0;
  let waitingWrites = 0;

  /** Counted until Redis has answered: what nobody waits for any more still stands in the queue of its connection. */
  async function write(
    writer: RedisClient,
    name: ScriptName,
    calls: readonly ScriptCall[],
  ): Promise<unknown[]> {
    if (waitingWrites >= MAX_WAITING)
      throw new Outage(`${name}: too many writes wait for replicas`);
    waitingWrites++;
    try {
      return await callAndWait(writer, replicas, name, calls);
    } finally {
      waitingWrites--;
    }
  }

  async function operate<T>(name: string, work: () => Promise<T>): Promise<T> {
    if (pending >= MAX_PENDING) throw new Outage(`${name}: too many operations under way`);
    pending++;
    const startedMs = monotonicMs();
    let outage = false;
    try {
      return await withDeadline(work(), DEADLINE_MS, name);
    } catch (error) {
      outage = true;
      throw toOutage(name, error);
    } finally {
      pending--;
      observe(name, (monotonicMs() - startedMs) / 1000, outage);
    }
  }

  const run: RunScript = (name, keys, args = []) => operate(name, () => send(name, { keys, args }));

  return {
    run,
    async runDurably(name, ...calls) {
      const writer = nextWriter();
      return writer === undefined
        ? Promise.all(calls.map(({ keys, args }) => run(name, keys, args)))
        : operate(name, () => write(writer, name, calls));
    },
    runDurablyOnce(name, call) {
      if (replicas === 0) return operate(name, () => sendOnce(name, call));
      const writer = nextOnce() as RedisClient;
      return operate(name, () => write(writer, name, [call])).then(([reply]) => reply);
    },
    reach: () =>
      operate('reach', async () => void (await Promise.all(connections.map(reachPrimaries)))),
    close: () => {
      for (const connection of connections) connection.disconnect();
    },
  };
}
