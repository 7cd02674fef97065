// Owns the promise that TLS to Redis is TLS: on one Redis, behind Sentinel and in a Cluster, and never without a certificate that is trusted.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { generate } from 'selfsigned';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { findRedis } from '../support/redis-binary.ts';
import { until, withRedis } from '../support/redis-client.ts';
import { type RedisServer, startRedis, startServer } from '../support/redis-server.ts';
import {
  type ServiceProcess,
  spawnService,
  startService,
  TEST_SECRET,
} from '../support/service-process.ts';

const START = { product: 'p', env: 'e', tag: 't', data: { userId: 'ann' } };

let dir: string;
let certificate: string;
let settings: readonly string[];
const servers: RedisServer[] = [];
let service: ServiceProcess | undefined;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'redis-tls-'));
  const { private: key, cert } = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
  });
  certificate = path.join(dir, 'cert.pem');
  await writeFile(certificate, cert);
  await writeFile(path.join(dir, 'key.pem'), key);
  settings = [
    ...['--tls-cert-file', certificate],
    ...['--tls-key-file', path.join(dir, 'key.pem')],
    ...['--tls-ca-cert-file', certificate],
    ...['--tls-auth-clients', 'no'],
  ];
});
afterEach(async () => {
  await service?.stop();
  service = undefined;
  for (const server of servers.splice(0).reverse()) await server.stop();
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** A server that also speaks TLS, at the port that is returned. */
async function startWithTls(extraArgs: readonly string[] = []): Promise<[RedisServer, number]> {
  const port = await freePort();
  const server = await startRedis({
    extraArgs: [...settings, '--tls-port', String(port), ...extraArgs],
  });
  servers.push(server);
  return [server, port];
}

async function startSentinel(primaryPort: number): Promise<number> {
  const { sentinelArgs } = await findRedis();
  const tlsPort = await freePort();
  const sentinel = await startServer({
    args: async (port, folder) => {
      const file = path.join(folder, 'sentinel.conf');
      const lines = [
        `port ${port}`,
        `tls-port ${tlsPort}`,
        'tls-replication yes',
        'bind 127.0.0.1',
        `sentinel monitor main 127.0.0.1 ${primaryPort} 1`,
        ...settings.flatMap((each, at) =>
          at % 2 === 0 ? [`${each.slice(2)} ${settings[at + 1]}`] : [],
        ),
      ];
      await writeFile(file, `${lines.join('\n')}\n`);
      return [file, ...sentinelArgs];
    },
  });
  servers.push(sentinel);
  return tlsPort;
}

const MODES = {
  'one Redis': async () => {
    const [, port] = await startWithTls();
    return { REDIS_URL: `rediss://127.0.0.1:${port}` };
  },
  'a Redis behind Sentinel': async () => {
    const [, port] = await startWithTls();
    const sentinel = await startSentinel(port);
    return {
      REDIS_SENTINELS: `127.0.0.1:${sentinel}`,
      REDIS_SENTINEL_NAME: 'main',
      REDIS_TLS: 'true',
    };
  },
  'a Cluster': async () => {
    const [server, port] = await startWithTls([
      '--cluster-enabled',
      'yes',
      '--cluster-announce-ip',
      '127.0.0.1',
      '--tls-cluster',
      'yes',
    ]);
    await withRedis(server.port, async (redis) => {
      await redis.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
      await until('the Cluster is formed', 5000, async () =>
        String(await redis.call('CLUSTER', 'INFO')).includes('cluster_state:ok'),
      );
    });
    return { REDIS_CLUSTER_NODES: `127.0.0.1:${port}`, REDIS_TLS: 'true' };
  },
};

describe.each(Object.entries(MODES))('TLS to %s', (_, open) => {
  it('carries sessions, if the certificate is trusted', async () => {
    service = await startService({ ...(await open()), NODE_EXTRA_CA_CERTS: certificate });
    const { call } = service;
    await until('it is ready', 10_000, async () => (await call('/readyz')).ok);
    expect((await call('/sessions', START)).status).toBe(201);
  });

  it('is not given up for a certificate that nobody vouches for: the service says so and does not start', async () => {
    const running = await spawnService({ ...(await open()), SECRET: TEST_SECRET, PORT: '0' });
    // Of a Sentinel the client does not tell more.
    await until('the reason is said', 15_000, async () =>
      /CERT|failed to connect to sentinel/.test(running.output()),
    );
    expect(running.output()).not.toContain('listening');
    running.child.kill('SIGKILL');
    await running.exited;
  });
});
