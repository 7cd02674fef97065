// Owns the proof that a command is written as ioredis itself would write it, whatever its parts are, to the node that owns its keys, and that nobody is told of its arguments.

import { inspect } from 'node:util';
import fc from 'fast-check';
import { Cluster, Command } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { createScriptSender, encodeCommand } from '../../src/stores/redis/script-command.ts';
import { withRedis } from '../support/redis-client.ts';
import { startRedisCluster } from '../support/redis-cluster.ts';
import { startRedis } from '../support/redis-server.ts';

const written = (parts: readonly (string | Buffer)[]): Buffer =>
  Buffer.from(new Command('evalsha', [...parts]).toWritable({}));

const part = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '',
    '\0',
    '\r\n',
    '$3\r\n',
    'é',
    '😀',
    '\ud83d',
    '\ude00',
    'x'.repeat(255),
    'x'.repeat(256),
  ),
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
);

describe('a command', () => {
  it('reaches Redis byte for byte, whatever stands in it', () => {
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 20 }), (parts) => {
        expect(encodeCommand(['evalsha', ...parts])).toEqual(written(parts));
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['of ASCII alone', ['key', 'user_1']],
    ['with a name that takes more bytes than characters', ['key', 'Jürgen 😀']],
    ['with a Buffer at its end', ['key', Buffer.from([0, 255, 13, 10])]],
    ['with Buffers beside each other', [Buffer.from('a'), Buffer.alloc(0), Buffer.from('b'), 'c']],
  ])('%s is announced by its bytes', (_, parts) => {
    expect(encodeCommand(['evalsha', ...parts])).toEqual(written(parts));
  });
});

it('an error of a script that waits for no replica says nothing of what it was to write, as text and by its hash', async () => {
  const server = await startRedis();
  try {
    const reasons = await withRedis(server.port, async (redis) => {
      await redis.lpush('place', 'of another type');
      const send = createScriptSender(redis);
      const claim = () =>
        send('claim', { keys: ['place'], args: ['told-to-nobody', 1000] }).catch(inspect);
      // Redis does not know the script yet: the first is sent as text.
      return [await claim(), await claim()];
    });
    for (const reason of reasons) {
      expect(reason).toContain('WRONGTYPE');
      expect(reason).not.toContain('told-to-nobody');
    }
  } finally {
    await server.stop();
  }
});

it('in a Cluster a script goes to the node that owns its keys at once', async () => {
  const cluster = await startRedisCluster({ primaries: 3 });
  const nodes = cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
  const client = new Cluster(nodes, { redisOptions: { disableClientInfo: true } });
  try {
    const send = createScriptSender(client);
    for (let i = 0; i < 40; i++) await send('swap', { keys: [`place ${i}`], args: ['', 'x'] });
    for (const { port } of cluster.primaries) {
      const told = await withRedis(port, (redis) => redis.info('errorstats'));
      expect(told).not.toContain('MOVED');
    }
  } finally {
    client.disconnect();
    await cluster.stop();
  }
});
