// Owns the list of fault runs: which world, which fault, and which invariants are promised in it.

import { findIptables } from '../test/support/iptables.ts';
import { findFaketime } from '../test/support/redis-binary.ts';
import { INVARIANTS, type Invariant } from './checker.ts';
import * as faults from './faults.ts';
import { clusterRedis, type Env, type Store, sentinelRedis, singleRedis } from './worlds.ts';

export interface Scenario {
  readonly name: string;
  /** The durability mode, by the names of docs/durability.md. */
  readonly durability: string;
  readonly store: () => Promise<Store>;
  /** What is in the store before the service starts. */
  readonly prepare?: (store: Store, holdMs: number) => Promise<void>;
  readonly fault: faults.Fault;
  readonly env?: Env;
  /** What each of the two processes has for itself. */
  readonly own?: () => Promise<readonly [Env, Env]>;
  /** How long people live before the fault strikes; long where the fault lasts, so that a process has grown into its heap by then. */
  readonly warmUpMs?: number;
  /** Nobody revokes anything at the end: every session ends by its own time. */
  readonly endsByTime?: boolean;
  /** Not promised in this durability mode, or not put to the test: not judged. */
  readonly without?: readonly Invariant[];
  /** Why this machine cannot run it; undefined if it can. */
  readonly impossible?: () => Promise<string | undefined>;
}

const noPackets = async () => ((await findIptables()) ? undefined : 'no right to drop packets');
const replicated = { REDIS_WAIT_REPLICAS: '1' };

/** The clock of the second process, and only that, is wrong by so much. */
const clockOff = (offset: string) => async (): Promise<readonly [Env, Env]> => {
  const library = await findFaketime();
  return [{}, { LD_PRELOAD: library, FAKETIME: offset, FAKETIME_DONT_FAKE_MONOTONIC: '1' }];
};

/** Lives so short that their ends fall into the run. */
const shortLives = {
  TOKEN_TTL_SECONDS: '4',
  IDLE_TTL_SECONDS: '6',
  ABSOLUTE_TTL_SECONDS: '6',
  REFRESH_RETRY_SECONDS: '1',
};

/** After a minute of load a process has the size that it keeps. */
const LONG_WARM_UP_MS = 60_000;

const aof = { durability: 'everysec', store: () => singleRedis() };

export const scenarios: readonly Scenario[] = [
  { ...aof, name: 'no fault', fault: faults.nothing },
  {
    ...aof,
    name: 'sessions end by time',
    fault: faults.nothing,
    env: shortLives,
    endsByTime: true,
  },
  {
    ...aof,
    name: 'service killed (-9)',
    fault: faults.instanceKilled,
    env: { REFRESH_RETRY_SECONDS: '2' },
  },
  { ...aof, name: 'service drained, 200 clients', fault: faults.instanceDrained },
  { ...aof, name: 'Redis killed (-9)', fault: faults.redisKilled },
  {
    name: 'Redis killed (-9)',
    durability: 'always',
    store: () => singleRedis({ appendfsync: 'always' }),
    fault: faults.redisKilled,
  },
  { ...aof, name: 'Redis frozen', fault: faults.redisFrozen },
  { ...aof, name: 'Redis stopped', fault: faults.redisStopped, warmUpMs: LONG_WARM_UP_MS },
  {
    name: 'Redis loading',
    durability: 'everysec',
    store: () => singleRedis({ extraArgs: ['--key-load-delay', '1000'] }),
    fault: faults.redisKilled,
  },
  { ...aof, name: 'replies swallowed', fault: faults.repliesSwallowed },
  { ...aof, name: 'one instance cut off', fault: faults.instanceCutOff },
  { ...aof, name: 'scripts flushed every 5 ms', fault: faults.scriptsForgotten },
  { ...aof, name: 'clients killed every 100 ms', fault: faults.connectionsKilled },
  { ...aof, name: 'Redis full', fault: faults.redisFull },
  {
    name: 'Redis cannot save (MISCONF)',
    durability: 'everysec',
    store: () => singleRedis({ extraArgs: ['--enable-protected-configs', 'yes'] }),
    fault: faults.snapshotsFail,
  },
  {
    ...aof,
    name: 'crowds of one user and one tag',
    prepare: faults.crowdGathers,
    fault: faults.crowdLeaves,
  },
  {
    name: 'restored from an older copy',
    durability: 'snapshot',
    store: () => singleRedis({ appendonly: false }),
    fault: faults.restoredFromOlderCopy,
    // What happened after the copy was taken is lost: starts, revokes, and which tokens were old.
    without: ['I1', 'I2', 'I4'],
  },
  {
    name: 'emptied',
    durability: 'memory',
    store: () => singleRedis({ appendonly: false }),
    fault: faults.emptied,
    without: ['I1', 'I2', 'I4'],
  },
  ...(['+1h', '-1h', '+5s', '-5s'] as const).map((offset) => ({
    ...aof,
    name: `clock of one instance ${offset}`,
    fault: faults.nothing,
    env: shortLives,
    own: clockOff(offset),
  })),
  {
    ...aof,
    name: 'clock of one instance jumps',
    fault: faults.clockJumps,
    env: shortLives,
    own: faults.movableClock,
  },
  {
    name: 'Sentinel: primary killed, replication cut',
    durability: 'replicas',
    store: sentinelRedis,
    fault: faults.primaryLostWithReplicationCut,
    env: replicated,
    impossible: noPackets,
    warmUpMs: LONG_WARM_UP_MS,
  },
  {
    name: 'Sentinel: primary demoted',
    durability: 'replicas',
    store: sentinelRedis,
    fault: faults.sentinelDemotes,
    env: replicated,
  },
  {
    name: 'Sentinel: an empty replica promoted',
    durability: 'memory',
    store: sentinelRedis,
    fault: faults.emptyReplicaPromoted,
    without: ['I1', 'I2', 'I4'],
    warmUpMs: LONG_WARM_UP_MS,
  },
  {
    name: 'Cluster: primary killed, replication cut',
    durability: 'replicas',
    store: clusterRedis,
    fault: faults.primaryLostWithReplicationCut,
    env: replicated,
    impossible: noPackets,
  },
  {
    name: 'Cluster: primary demoted',
    durability: 'replicas',
    store: clusterRedis,
    fault: faults.primaryDemoted,
    env: replicated,
  },
  {
    name: 'Cluster: slots move',
    durability: 'memory',
    store: clusterRedis,
    fault: faults.slotsMoved,
  },
  {
    ...aof,
    name: 'signing keys rotate every 10 s',
    fault: faults.keysRotate,
    env: { SIGNING_KEY_ROTATION_SECONDS: '10', JWKS_MAX_AGE_SECONDS: '2' },
    warmUpMs: LONG_WARM_UP_MS,
  },
];

export const promisedIn = ({ without = [] }: Scenario): readonly Invariant[] =>
  INVARIANTS.filter((each) => !without.includes(each));
