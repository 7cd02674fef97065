// Owns the faults: each breaks a world, holds that for a while, heals it, and resolves once the store can be used again.

import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeProtectedHeader } from 'jose';
import { createCrowd } from '../test/support/crowd.ts';
import { findIptables } from '../test/support/iptables.ts';
import { findFaketime } from '../test/support/redis-binary.ts';
import { until, withRedis } from '../test/support/redis-client.ts';
import type { RedisServer } from '../test/support/redis-server.ts';
import { TEST_ROOT_KEY } from '../test/support/service-process.ts';
import type { Env, Store, World } from './worlds.ts';

/** `holdMs`: how long a fault that can last does. */
export type Fault = (world: World, holdMs: number) => Promise<void>;

/** Sentinel tries again after twice its failover timeout if its first attempt finds no replica fit. */
const FAILOVER_MS = 45_000;

const first = ({ servers }: World): RedisServer => servers[0] as RedisServer;
const info = (port: number, section: string): Promise<string> =>
  withRedis(port, (redis) => redis.info(section));

export const nothing: Fault = (_world, holdMs) => sleep(holdMs);

/** Longer than it takes a new key to sign, beside a JWKS of 2 s, and three keys more. */
const ROTATIONS_MS = 95_000;

/** The id of the key that signs at the first instance. */
async function signingKid({ services: [{ url }] }: World): Promise<unknown> {
  const ask = (path: string, body: object) =>
    fetch(url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${TEST_ROOT_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const place = { product: 'probe', env: 'prd', tag: 'probe' };
  const started = await ask('/sessions', { ...place, data: { userId: 'probe' } });
  const { token } = (await started.json()) as { token: string };
  await ask('/sessions/revoke', { token });
  await fetch(`${url}/users/probe/prd/probe`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${TEST_ROOT_KEY}` },
  });
  return decodeProtectedHeader(token).kid;
}

/** Throws if the run has not seen three keys sign one after another. */
export const keysRotate: Fault = async (world) => {
  const seen = new Set<unknown>();
  for (const endMs = Date.now() + ROTATIONS_MS; Date.now() < endMs; await sleep(2000)) {
    seen.add(await signingKid(world));
  }
  if (seen.size < 3) throw new Error(`only ${seen.size} keys have signed`);
};

/** Read by libfaketime at every look at the clock. */
const CLOCK_FILE = join(tmpdir(), `session-mint-proof-clock-${process.pid}`);

/** The calendar of the second process is as the file says, and only that. */
export async function movableClock(): Promise<readonly [Env, Env]> {
  writeFileSync(CLOCK_FILE, '+0s\n');
  const second = {
    LD_PRELOAD: await findFaketime(),
    FAKETIME_TIMESTAMP_FILE: CLOCK_FILE,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
  return [{}, second];
}

/** An hour on, two hours back, and right again. */
export const clockJumps: Fault = async (_world, holdMs) => {
  for (const offset of ['+1h', '-1h', '+0s']) {
    writeFileSync(CLOCK_FILE, `${offset}\n`);
    await sleep(holdMs / 2);
  }
  rmSync(CLOCK_FILE);
};

export const redisKilled: Fault = async (world) => {
  await first(world).kill();
  await sleep(1000);
  await first(world).start();
};

export const redisStopped: Fault = async (world, holdMs) => {
  await first(world).kill();
  await sleep(holdMs);
  await first(world).start();
};

export const redisFrozen: Fault = async (world, holdMs) => {
  first(world).freeze();
  await sleep(holdMs);
  first(world).thaw();
};

const SWALLOWED = 25;

/** The reply to every so many-th request is lost, and its connection with it, at whatever step of whatever call that is. */
export const repliesSwallowed: Fault = async (world, holdMs) => {
  let requests = 0;
  world.onRequest = () => (++requests % SWALLOWED === 0 ? 'swallow-reply-then-reset' : 'forward');
  await sleep(holdMs);
  world.onRequest = () => 'forward';
  const swallowed = world.networks.reduce((sum, network) => sum + network.swallowedReplies(), 0);
  if (swallowed < 10) throw new Error(`only ${swallowed} replies were swallowed`);
};

/** Bytes of one instance vanish while its connections stay open: dropped, not refused. */
export const instanceCutOff: Fault = async ({ networks }, holdMs) => {
  networks[1]?.dropAll();
  await sleep(holdMs);
  networks[1]?.passThrough();
};

export const instanceKilled: Fault = async (world) => {
  world.services[1].kill('SIGKILL');
  await world.services[1].exited;
  await sleep(500);
  await world.restart(1);
};

/** SIGTERM while 200 clients hold a connection open; the process must end by itself, with code 0. */
export const instanceDrained: Fault = async (world) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 200 });
  const { port } = world.services[1];
  const idle = Array.from(
    { length: 200 },
    () =>
      new Promise<void>((resolve, reject) => {
        request({ port, path: '/livez', agent }, (response) => {
          response.resume().on('end', resolve);
        })
          .on('error', reject)
          .end();
      }),
  );
  await Promise.all(idle);
  world.services[1].kill('SIGTERM');
  const { code } = await world.services[1].exited;
  agent.destroy();
  if (code !== 0) throw new Error(`the drained process ended with code ${code}`);
  await world.restart(1);
};

export const scriptsForgotten: Fault = (world, holdMs) =>
  withRedis(first(world).port, async (redis) => {
    for (const endMs = Date.now() + holdMs; Date.now() < endMs; await sleep(5)) {
      await redis.script('FLUSH');
    }
  });

export const connectionsKilled: Fault = (world, holdMs) =>
  withRedis(first(world).port, async (redis) => {
    for (const endMs = Date.now() + holdMs; Date.now() < endMs; await sleep(100)) {
      await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    }
  });

/** Filled to the brim with something else; nothing may be evicted. */
export const redisFull: Fault = (world, holdMs) =>
  withRedis(first(world).port, async (redis) => {
    await redis.set('proof:ballast', Buffer.alloc(8_000_000, 'x'));
    await redis.config('SET', 'maxmemory', 8_000_000);
    await sleep(holdMs);
    await redis.config('SET', 'maxmemory', 0);
    await redis.unlink('proof:ballast');
  });

/** Redis cannot write its snapshot, and says MISCONF to every write until it can. */
export const snapshotsFail: Fault = async (world) => {
  await withRedis(first(world).port, async (redis) => {
    const [, folder = ''] = (await redis.config('GET', 'dir')) as string[];
    const lost = `${folder}/gone`;
    execFileSync('mkdir', [lost]);
    await redis.config('SET', 'save', '3600 1');
    await redis.config('SET', 'dir', lost);
    rmSync(lost, { recursive: true });
    await redis.bgsave();
    await until('the snapshot has failed', 5000, async () =>
      (await redis.info('persistence')).includes('rdb_last_bgsave_status:err'),
    );
    await sleep(1500);
    await redis.config('SET', 'dir', folder);
    await redis.config('SET', 'save', '');
    await redis.bgsave();
    await until('a snapshot has succeeded', 5000, async () =>
      (await redis.info('persistence')).includes('rdb_last_bgsave_status:ok'),
    );
  });
};

/** Killed and started on the snapshot that was taken before: rotations, revokes and starts since then are lost. */
export const restoredFromOlderCopy: Fault = async (world) => {
  await withRedis(first(world).port, (redis) => redis.save());
  await sleep(1500);
  await first(world).kill();
  await first(world).start();
};

export const emptied: Fault = (world) =>
  withRedis(first(world).port, async (redis) => {
    await redis.flushall();
  });

/** Packets from a server to the replica that follows it are dropped; undone by calling the result. */
async function cutReplication(primary: RedisServer): Promise<() => void> {
  const [, port = ''] = /slave0:.*?port=(\d+)/.exec(await info(primary.port, 'replication')) ?? [];
  const links = await withRedis(primary.port, (redis) => redis.client('LIST', 'TYPE', 'REPLICA'));
  const [, link = ''] = /addr=127\.0\.0\.1:(\d+)/.exec(String(links)) ?? [];
  const rule = ['INPUT', '-p', 'tcp', '--sport', `${primary.port}`, '--dport', link, '-j', 'DROP'];
  if (port === '' || link === '') throw new Error('no replica follows');
  const iptables = await findIptables();
  if (iptables === undefined) throw new Error('no right to drop packets');
  iptables(['-I', ...rule]);
  return () => iptables(['-D', ...rule]);
}

/** Only then can a write be acknowledged by a replica. */
const untilFollowed = ({ port }: RedisServer): Promise<void> =>
  until('a replica follows and is up to date', FAILOVER_MS, async () =>
    (await info(port, 'replication')).includes('state=online'),
  );

/** What the primary acknowledges by itself from here on never reaches its replica, which then takes over. */
export const primaryLostWithReplicationCut: Fault = async (world) => {
  const replica = world.servers[world.servers.length / 2] as RedisServer;
  const mend = await cutReplication(first(world));
  try {
    await sleep(1500);
    await first(world).kill();
  } finally {
    mend();
  }
  await until('the replica is promoted', FAILOVER_MS, world.failedOver);
  await first(world).start();
  await untilFollowed(replica);
};

/** The Sentinels switch while the old primary lives on. */
export const sentinelDemotes: Fault = async (world) => {
  const { REDIS_SENTINELS = '', REDIS_SENTINEL_NAME = '' } = world.env[0];
  const port = Number(/:(\d+)/.exec(REDIS_SENTINELS)?.[1]);
  await withRedis(port, (sentinel) => sentinel.call('SENTINEL', 'FAILOVER', REDIS_SENTINEL_NAME));
  await until('the replica is promoted', FAILOVER_MS, world.failedOver);
  await untilFollowed(world.servers[world.servers.length / 2] as RedisServer);
};

/** What takes over for a dead primary has nothing. */
export const emptyReplicaPromoted: Fault = async (world) => {
  const replica = world.servers[world.servers.length / 2] as RedisServer;
  await first(world).kill();
  await withRedis(replica.port, async (redis) => {
    await redis.config('SET', 'replica-read-only', 'no');
    await redis.flushall();
  });
  await until('the replica is promoted', FAILOVER_MS, world.failedOver);
};

/** A switch that an operator orders: the old primary lives on as a replica. */
export const primaryDemoted: Fault = async (world) => {
  const replica = world.servers[world.servers.length / 2] as RedisServer;
  await withRedis(replica.port, (redis) => redis.call('CLUSTER', 'FAILOVER'));
  await until('the replica is promoted', FAILOVER_MS, world.failedOver);
  await untilFollowed(replica);
};

/** As many as a user may have. */
const CROWD_OF_ONE = 10_000;

/** The long form has ten of them, 100,000 sessions of one tag. */
const crowdedUsers = (holdMs: number): number => Math.min(10, Math.ceil(holdMs / 1000));

/** Fills the store before anything else happens. */
export const crowdGathers = ({ servers }: Store, holdMs: number): Promise<void> =>
  createCrowd(servers[0]?.url ?? '', crowdedUsers(holdMs) * CROWD_OF_ONE, CROWD_OF_ONE);

/** Lists the sessions of each user of the crowd, and revokes them all with one call. */
export const crowdLeaves: Fault = async (world, holdMs) => {
  const users = crowdedUsers(holdMs);
  for (let user = 0; user < users; user++) {
    const service = world.services[user % 2 === 0 ? 0 : 1];
    const page = await service.call(
      `/sessions/my-app/prd/user-session?userId=user_${user}&limit=100`,
    );
    const startedMs = performance.now();
    const answer = await service.call(
      `/users/my-app/prd/user_${user}/sessions`,
      undefined,
      'DELETE',
    );
    const { revoked } = (await answer.json()) as { revoked?: number };
    const tookMs = Math.round(performance.now() - startedMs);
    if (page.status !== 200 || revoked !== CROWD_OF_ONE || tookMs > 2000) {
      throw new Error(`listing ${page.status}, revoked ${revoked} of a crowd in ${tookMs} ms`);
    }
    await service.call(`/users/my-app/prd/user_${user}`, undefined, 'DELETE');
  }
};

const SLOTS_MOVED = 30;

async function slotsInUse({ port }: RedisServer): Promise<readonly number[]> {
  return withRedis(port, async (redis) => {
    const keys = await redis.keys('session:*');
    const slots = await Promise.all(keys.map((key) => redis.call('CLUSTER', 'KEYSLOT', key)));
    return [...new Set(slots.map(Number))].slice(0, SLOTS_MOVED);
  });
}

async function moveSlot(slot: number, from: RedisServer, to: RedisServer): Promise<void> {
  await withRedis(from.port, (source) =>
    withRedis(to.port, async (target) => {
      const sourceId = (await source.call('CLUSTER', 'MYID')) as string;
      const targetId = (await target.call('CLUSTER', 'MYID')) as string;
      await target.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', sourceId);
      await source.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', targetId);
      for (;;) {
        const keys = (await source.call('CLUSTER', 'GETKEYSINSLOT', slot, 1)) as string[];
        if (keys[0] === undefined) break;
        await source.call('MIGRATE', '127.0.0.1', to.port, keys[0], 0, 1000);
        await sleep(5);
      }
      for (const node of [target, source]) {
        await node.call('CLUSTER', 'SETSLOT', slot, 'NODE', targetId);
      }
    }),
  );
}

/** Slots that hold sessions move to another primary and back, key by key. */
export const slotsMoved: Fault = async (world) => {
  const [home, away] = world.servers as [RedisServer, RedisServer];
  const slots = await slotsInUse(home);
  for (const slot of slots) await moveSlot(slot, home, away);
  for (const slot of slots) await moveSlot(slot, away, home);
};
