/** Proves on real processes that the Redis helpers of the tests do what they say. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findFaketime, findRedis } from './redis-binary.ts';
import { startRedisCluster } from './redis-cluster.ts';
import { startRedisSentinel } from './redis-sentinel.ts';
import { startRedis } from './redis-server.ts';
import { startTcpProxy } from './tcp-proxy.ts';

const DAY_MS = 24 * 3_600_000;

const cleanUps: (() => Promise<void> | void)[] = [];

function later<T extends { stop(): Promise<void> }>(resource: T): T {
  cleanUps.push(() => resource.stop());
  return resource;
}

function clientOf(port: number): Redis {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    maxRetriesPerRequest: 0,
    retryStrategy: () => 20,
  });
  client.on('error', () => undefined);
  cleanUps.push(() => client.disconnect());
  return client;
}

function addresses(list: string): { host: string; port: number }[] {
  return list.split(',').map((address) => {
    const [host, port] = address.split(':');
    return { host: host ?? '', port: Number(port) };
  });
}

/** Seconds and ms; the few µs beyond differ from time to time. */
async function timeOf(client: Redis): Promise<string> {
  const [seconds = 0, microseconds = 0] = (await client.time()).map(Number);
  return `${seconds}.${Math.floor(microseconds / 1000)}`;
}

async function eventually(test: () => Promise<boolean>, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (performance.now() < deadline) {
    const outcome = await Promise.race([test().catch(() => false), sleep(300, false)]);
    if (outcome) return true;
    await sleep(25);
  }
  return false;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

beforeAll(async () => {
  // May download them, once per machine.
  await findRedis();
  await findFaketime();
}, 180_000);

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

describe('startRedis', () => {
  it('keeps an append-only file over SIGKILL, and nothing without one', async () => {
    const durable = later(
      await startRedis({ appendonly: true, appendfsync: 'always', password: 's3cret' }),
    );
    const fleeting = later(await startRedis({ extraArgs: ['--maxmemory-policy', 'noeviction'] }));
    const expected = [
      [durable, 'kept'],
      [fleeting, null],
    ] as const;
    for (const [server, value] of expected) {
      const client = new Redis(server.url, { retryStrategy: () => 20 });
      cleanUps.push(() => client.disconnect());
      client.on('error', () => undefined);
      await client.set('key', 'kept');
      const firstPid = server.pid;
      await server.kill();
      await server.start();
      expect(server.pid).not.toBe(firstPid);
      expect(await client.get('key')).toBe(value);
    }
  });

  it('freezes and thaws', async () => {
    const server = later(await startRedis());
    const client = clientOf(server.port);
    await client.ping();
    server.freeze();
    const answer = client.ping();
    expect(await Promise.race([answer, sleep(150, 'silence')])).toBe('silence');
    server.thaw();
    expect(await answer).toBe('PONG');
  });

  it('says why it could not start', async () => {
    const server = later(await startRedis());
    await expect(startRedis({ port: server.port })).rejects.toThrow(
      /exited at once.*Address already in use/s,
    );
    await expect(startRedis({ extraArgs: ['--no-such-setting', '1'] })).rejects.toThrow(
      /exited at once/,
    );
  });

  it.skipIf(process.platform !== 'linux')('dies with a test process that is killed', async () => {
    const script = `import { startRedis } from './test/support/redis-server.ts';
      const { port, dir } = await startRedis();
      console.log(port, dir);
      setInterval(() => {}, 1000);`;
    const parent = spawn(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', script],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    cleanUps.push(() => void parent.kill('SIGKILL'));
    const [line] = await once(parent.stdout, 'data');
    const [port, dir] = String(line).trim().split(' ');
    if (port === undefined || dir === undefined) throw new Error(`no port and folder in ${line}`);
    cleanUps.push(() => rm(dir, { recursive: true }));
    expect(await accepts(Number(port))).toBe(true);
    parent.kill('SIGKILL');
    expect(await eventually(async () => !(await accepts(Number(port))), 3000)).toBe(true);
  });
});

describe('a movable clock', () => {
  it('stands still to the ms, moves at will, and decides when keys expire', async () => {
    const server = later(await startRedis({ movableClock: true, appendonly: true }));
    const { clock } = server;
    if (clock === undefined) throw new Error('no clock');
    const client = clientOf(server.port);

    await clock.set(2_000_000_000_999);
    expect(await timeOf(client)).toBe('2000000000.999');
    await sleep(30);
    expect(await timeOf(client)).toBe('2000000000.999');
    await clock.advance(1);
    expect(await timeOf(client)).toBe('2000000001.0');

    const expiresAt = clock.nowMs() + 1000;
    await client.set('key', 'value', 'PXAT', expiresAt);
    await clock.set(expiresAt - 1);
    expect(await client.pttl('key')).toBe(1);
    await clock.set(expiresAt);
    // Redis itself lets a key go only once its time has passed.
    expect(await client.get('key')).toBe('value');
    await clock.set(expiresAt + 1);
    expect(await client.get('key')).toBeNull();

    await server.kill();
    await server.start();
    expect(await timeOf(clientOf(server.port))).toBe('2000000002.1');
  });

  it('tells every ms exactly', async () => {
    const { clock, port } = later(await startRedis({ movableClock: true }));
    if (clock === undefined) throw new Error('no clock');
    const client = clientOf(port);
    for (let ms = 0; ms < 1000; ms += 1) {
      await clock.set(1_900_000_000_000 + ms);
      expect(await timeOf(client)).toBe(`1900000000.${ms}`);
    }
  });
});

describe('startRedisCluster', () => {
  it('serves all slots and fails over', async () => {
    const cluster = later(await startRedisCluster({ replicasPerPrimary: 1 }));
    expect(cluster.primaries).toHaveLength(3);
    expect(cluster.replicas).toHaveLength(3);
    const client = new Cluster(addresses(cluster.nodesEnv), { clusterRetryStrategy: () => 50 });
    client.on('error', () => undefined);
    cleanUps.push(() => client.disconnect());
    for (let i = 0; i < 50; i += 1) expect(await client.set(`key${i}`, 'value')).toBe('OK');

    await cluster.primaries[0]?.kill();
    const replica = clientOf(cluster.replicas[0]?.port ?? 0);
    const promoted = async (): Promise<boolean> =>
      (await replica.info('replication')).includes('role:master');
    expect(await eventually(promoted, 8000)).toBe(true);
  }, 20_000);

  it('stays whole while its clock stands still and jumps', async () => {
    const cluster = later(await startRedisCluster({ replicasPerPrimary: 1, movableClock: true }));
    const { clock } = cluster;
    if (clock === undefined) throw new Error('no clock');
    const clients = cluster.nodes.map((node) => clientOf(node.port));
    const states = async (): Promise<string[]> =>
      Promise.all(
        clients.map(async (client) => {
          const state = String(await client.call('CLUSTER', 'INFO')).match(
            /cluster_state:(\w+)/,
          )?.[1];
          const failed = String(await client.call('CLUSTER', 'NODES')).includes('fail');
          const unlinked = (await client.info('replication')).includes('master_link_status:down');
          return `${state}${failed ? ' failed' : ''}${unlinked ? ' unlinked' : ''} ${await timeOf(client)}`;
        }),
      );
    for (const step of [0, 7 * DAY_MS, 400 * DAY_MS, -DAY_MS]) {
      await clock.set(Math.floor(clock.nowMs() / 1000) * 1000 + step);
      for (let i = 0; i < 5; i += 1) {
        expect(new Set(await states())).toEqual(new Set([`ok ${clock.nowMs() / 1000}.0`]));
        await sleep(100);
      }
    }
  }, 20_000);
});

describe('startRedisSentinel', () => {
  it('fails over to the replica', async () => {
    const setup = later(await startRedisSentinel());
    const sentinels = addresses(setup.sentinelsEnv);
    const retry = { sentinelRetryStrategy: () => 50, retryStrategy: () => 50 };
    const client = new Redis({ sentinels, name: setup.name, ...retry });
    client.on('error', () => undefined);
    cleanUps.push(() => client.disconnect());
    await client.set('key', 'value');
    expect(await client.wait(1, 1000)).toBe(1);
    await setup.primary.kill();
    const writes = async (): Promise<boolean> => (await client.set('other', 'value')) === 'OK';
    expect(await eventually(writes, 10_000)).toBe(true);
    expect(await client.get('key')).toBe('value');
  }, 20_000);
});

describe('startTcpProxy', () => {
  it('loses the reply of a request that was carried out', async () => {
    const server = later(await startRedis());
    const proxy = later(await startTcpProxy(server.port));
    const through = clientOf(proxy.port);
    expect(await through.incr('count')).toBe(1);
    proxy.swallowNextReply();
    await expect(through.incr('count')).rejects.toThrow();
    expect(proxy.swallowedReplies()).toBe(1);
    expect(await clientOf(server.port).get('count')).toBe('2');
    expect(await eventually(async () => (await through.incr('count')) === 3, 2000)).toBe(true);
  });

  it('picks the request whose reply is lost', async () => {
    const server = later(await startRedis());
    const proxy = later(
      await startTcpProxy(server.port, {
        onRequest: (bytes) => (bytes.includes('chosen') ? 'swallow-reply-then-reset' : 'forward'),
      }),
    );
    const through = clientOf(proxy.port);
    expect(await through.set('other', '1')).toBe('OK');
    await expect(through.set('chosen', '1')).rejects.toThrow();
    expect(await clientOf(server.port).get('chosen')).toBe('1');
    expect(proxy.swallowedReplies()).toBe(1);
  });

  it('turns into a black hole, refuses, resets, and recovers', async () => {
    const server = later(await startRedis());
    const proxy = later(await startTcpProxy(server.port));
    const through = clientOf(proxy.port);
    const works = async (): Promise<boolean> => (await through.ping()) === 'PONG';
    expect(await works()).toBe(true);

    proxy.dropAll();
    const lost = through.set('lost', '1').catch(() => 'reset');
    expect(await Promise.race([lost, sleep(150, 'silence')])).toBe('silence');
    proxy.passThrough();
    expect(await lost).toBe('reset');
    expect(await eventually(works, 2000)).toBe(true);
    expect(await clientOf(server.port).exists('lost')).toBe(0);

    proxy.refuse();
    expect(await eventually(works, 300)).toBe(false);
    proxy.passThrough();
    expect(await eventually(works, 2000)).toBe(true);

    const ended = new Promise((resolve) => through.once('close', resolve));
    proxy.resetAll();
    await ended;
    expect(await eventually(works, 2000)).toBe(true);
  });
});
