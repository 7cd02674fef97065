// Owns `npm run secrets`: a whole life of sessions, faults included, and then the search for every secret wherever something was written down.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type RedisServer, startRedis } from '../test/support/redis-server.ts';
import { type ServiceProcess, startService } from '../test/support/service-process.ts';
import { startTcpProxy, type TcpProxy } from '../test/support/tcp-proxy.ts';
import { holdsSecret, type Secret } from './secret-search.ts';
import { filesBelow, seedsIn } from './store-witness.ts';

const KEYS = {
  'root key': 'canary-root-key-4f1c9a7e2b8d6035',
  'metrics key': 'canary-metrics-key-91b3d57f02c8e6a4',
  SECRET: 'canary-secret-7d20e9f4b6a1835c-0123456789',
  'password of Redis': 'canary-password-a6c4e2098b7d5f13',
};
/** Stands in details, and in odd places of bad requests. */
const DETAIL = 'canary-detail-58d1f3b7092c6e4a';
/** The name that a caller gives to a start. */
const START_KEY = 'canary-idempotency-key-3e8b61d4f7a05c92';

export interface Finding {
  readonly place: string;
  readonly secret: string;
}

export interface PlaceReport {
  readonly place: string;
  readonly characters: number;
  readonly secrets: number;
  readonly found: readonly string[];
  /** Whether what must stand there was found: without it the search proves nothing. */
  readonly control: boolean;
}

interface Stage {
  readonly redis: RedisServer;
  readonly network: TcpProxy;
  readonly service: ServiceProcess;
  /** All error bodies so far. */
  errors: string;
  /** The headers of all answers so far. */
  headers: string;
  /** Tokens and refresh tokens that were handed out. */
  readonly tokens: string[];
}

const PLACE = '/sessions/p/e/t';
const START = {
  product: 'p',
  env: 'e',
  tag: 't',
  data: { userId: 'u', details: { note: DETAIL } },
  client: { device: DETAIL },
};

type Pair = {
  readonly key?: string;
  readonly id?: string;
  readonly nextCursor?: string;
  readonly token: string;
  readonly refreshToken: string;
  readonly sessionId: string;
};

/** Keeps the headers of an answer, and its body if it is an error. */
async function keep(stage: Stage, response: Response): Promise<string> {
  const text = await response.text();
  stage.headers += `${JSON.stringify([...response.headers])}\n`;
  if (!response.ok) stage.errors += `${text}\n`;
  return text;
}

/** Asks, keeps the body of an error, and the tokens of a success. */
async function ask(stage: Stage, path: string, body?: unknown, method?: string) {
  const text = await keep(stage, await stage.service.call(path, body, method));
  const answer = text.startsWith('{') ? (JSON.parse(text) as Partial<Pair>) : {};
  const { token, refreshToken, nextCursor } = answer;
  // The id of a key, in front of its secret, is no secret.
  const key = answer.key?.slice('smk_'.length + 12 + 1);
  stage.tokens.push(...[token, refreshToken, key, nextCursor].filter((each) => each !== undefined));
  return answer;
}

/** Everything that can be done with types, keys and users, rightly; all of them are gone afterwards. */
async function administer(stage: Stage, pair: Pair): Promise<void> {
  const type = { maxSessionsPerUser: 1, onLimit: 'evict_oldest', claims: ['note'] };
  await ask(stage, '/session-types/p/limited', type, 'PUT');
  await ask(stage, '/session-types/p/limited/check', { env: 'e', type });
  for (let i = 0; i < 2; i++) await ask(stage, '/sessions', { ...START, tag: 'limited' });
  await ask(stage, '/session-types/p');
  await ask(stage, '/session-types/p/limited');
  await ask(stage, '/session-types/p/limited', undefined, 'DELETE');
  const made = await ask(stage, '/api-keys', { name: 'x', permissions: ['verify'] });
  const rotated = await ask(stage, `/api-keys/${made.id}/rotate`, { overlapSeconds: 60 });
  for (const { key } of [made, rotated]) {
    const response = await fetch(`${stage.service.url}/sessions/verify`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ token: pair.token }),
    });
    await keep(stage, response);
  }
  await ask(stage, '/api-keys');
  await ask(stage, `/api-keys/${made.id}`);
  await ask(stage, `/api-keys/${made.id}`, undefined, 'DELETE');
  for (let i = 0; i < 2; i++) {
    await ask(stage, '/sessions', { ...START, data: { ...START.data, userId: 'erased' } });
  }
  const left = await ask(stage, '/sessions', START);
  await ask(stage, `${PLACE}/${left.sessionId}`, undefined, 'DELETE');
  const page = await ask(stage, `${PLACE}?userId=erased&limit=1`);
  await ask(stage, `${PLACE}?userId=erased&limit=1&cursor=${page.nextCursor}`);
  await ask(stage, '/users/p/e/erased', undefined, 'DELETE');
}

/** A start under a name, and once more. */
async function startTwice(stage: Stage): Promise<void> {
  for (let i = 0; i < 2; i++) {
    const response = await fetch(`${stage.service.url}/sessions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${KEYS['root key']}`,
        'content-type': 'application/json',
        'idempotency-key': START_KEY,
      },
      body: JSON.stringify(START),
    });
    const { token, refreshToken } = JSON.parse(await keep(stage, response)) as Partial<Pair>;
    stage.tokens.push(...[token, refreshToken].filter((each) => each !== undefined));
  }
}

/** Everything that can be done with sessions, rightly. */
async function liveWell(stage: Stage): Promise<Pair> {
  const first = (await ask(stage, '/sessions', START)) as Pair;
  const pair = (await ask(stage, '/sessions/refresh', {
    refreshToken: first.refreshToken,
  })) as Pair;
  await ask(stage, '/sessions/refresh', { refreshToken: first.refreshToken });
  await ask(stage, '/sessions/verify', { token: pair.token });
  await ask(stage, `${PLACE}/${pair.sessionId}`);
  await ask(stage, `${PLACE}?userId=u&limit=1`);
  await ask(stage, `${PLACE}/${pair.sessionId}`, { data: { details: { more: DETAIL } } }, 'PATCH');
  await ask(stage, '/users/p/e?limit=1');
  await ask(stage, '/users/p/e/u');
  await ask(stage, '/stats/p/e');
  await administer(stage, pair);
  await startTwice(stage);
  const robbed = (await ask(stage, '/sessions', START)) as Pair;
  let last = robbed;
  for (let i = 0; i < 2; i++) {
    last = (await ask(stage, '/sessions/refresh', { refreshToken: last.refreshToken })) as Pair;
  }
  await ask(stage, '/sessions/refresh', { refreshToken: robbed.refreshToken });
  const leaver = (await ask(stage, '/sessions', START)) as Pair;
  await ask(stage, '/sessions/revoke', { token: leaver.token });
  await ask(stage, `/users/p/e/u/sessions?except=${pair.sessionId}`, undefined, 'DELETE');
  return pair;
}

/** Secrets in every place where they do not belong. */
async function liveBadly(stage: Stage, { token, refreshToken }: Pair): Promise<void> {
  const { service } = stage;
  for (const secret of [token, refreshToken, DETAIL, KEYS['root key']]) {
    for (const path of ['/sessions', '/sessions/refresh', '/sessions/verify', '/sessions/revoke']) {
      await ask(stage, path, { token: [secret], refreshToken: { secret } });
      await ask(stage, path, secret);
      await ask(stage, path, { ...START, tag: secret, env: `${secret} ` });
    }
    const part = encodeURIComponent(secret.slice(0, 200));
    await ask(stage, `${PLACE}?cursor=${part}&userId=${part}&unknown=${part}`);
    await ask(stage, `${PLACE}/${part}`);
    await ask(stage, `/nowhere/${part}`);
    await ask(stage, `/users/p/e/u/sessions?except=${part}`, undefined, 'DELETE');
    await ask(stage, `${PLACE}/${part}`, { data: { details: [secret] } }, 'PATCH');
    await ask(stage, `/users/p/e/${part}?cursor=${part}`);
    await ask(stage, `/session-types/p/t`, { claims: [secret], name: [secret] }, 'PUT');
    for (const headers of [
      { authorization: `Bearer ${secret}x` },
      { authorization: `Basic ${secret}` },
      { 'x-api-key': secret, cookie: `key=${secret}`, 'content-type': `text/${part}` },
    ]) {
      const response = await fetch(`${service.url}/sessions`, {
        method: 'POST',
        headers: headers as Record<string, string>,
        body: `{"token":"${secret}`,
      });
      await keep(stage, response);
    }
  }
}

/** The store in trouble, with calls under way. */
async function liveThroughFaults(stage: Stage, pair: Pair, direct: Redis): Promise<void> {
  const callAll = () =>
    Promise.all([
      ask(stage, '/sessions', START),
      ask(stage, '/sessions/refresh', { refreshToken: pair.refreshToken }),
      ask(stage, '/sessions/verify', { token: pair.token }),
      ask(stage, `${PLACE}/${pair.sessionId}`),
      ask(stage, '/sessions/revoke', { refreshToken: `${pair.refreshToken}` }),
      ask(stage, `${PLACE}/${pair.sessionId}`, { data: { details: { more: DETAIL } } }, 'PATCH'),
      ask(stage, `${PLACE}?userId=u`),
      ask(stage, '/users/p/e/u'),
      ask(stage, '/users/p/e'),
      ask(stage, '/stats/p/e'),
      ask(stage, '/users/p/e/nobody', undefined, 'DELETE'),
      ask(stage, '/session-types/p/faulty', { claims: ['note'] }, 'PUT'),
      ask(stage, '/api-keys', { name: 'x', permissions: ['verify'] }),
      startTwice(stage),
    ]);
  stage.network.swallowNextReply();
  await callAll();
  stage.redis.freeze();
  await callAll();
  stage.redis.thaw();
  await direct.config('SET', 'maxmemory', 1);
  await callAll();
  await direct.config('SET', 'maxmemory', 0);
  stage.network.refuse();
  await callAll();
  stage.network.passThrough();
  await sleep(700);
  await callAll();
}

/** Runs all of it on a Redis and a service of its own, at log level trace, and reports on each place. */
export async function searchForSecrets(): Promise<readonly PlaceReport[]> {
  const redis = await startRedis({
    password: KEYS['password of Redis'],
    appendonly: true,
    extraArgs: ['--slowlog-log-slower-than', '0', '--slowlog-max-len', '100000'],
  });
  const network = await startTcpProxy(redis.port);
  const service = await startService({
    NODE_ENV: 'production',
    ISSUER: 'https://sessions.example.com',
    LOG_LEVEL: 'trace',
    REDIS_URL: `redis://:${KEYS['password of Redis']}@127.0.0.1:${network.port}`,
    SECRET: KEYS.SECRET,
    ROOT_API_KEY: KEYS['root key'],
    METRICS_API_KEY: KEYS['metrics key'],
  });
  const direct = new Redis({ port: redis.port, password: KEYS['password of Redis'] });
  direct.on('error', () => undefined);
  const monitor = await direct.duplicate().monitor();
  let commands = '';
  monitor.on('monitor', (_time: string, args: unknown[]) => {
    commands += `${args.map(String).join(' ')}\n`;
  });
  const stage: Stage = { redis, network, service, errors: '', headers: '', tokens: [] };
  try {
    const pair = await liveWell(stage);
    const seeds = await seedsIn(direct);
    await liveBadly(stage, pair);
    await liveThroughFaults(stage, pair, direct);
    const numbers = await fetch(`${service.url}/metrics`, {
      headers: { authorization: `Bearer ${KEYS['metrics key']}` },
    });
    const metrics = await numbers.text();
    const slowlog = JSON.stringify(await direct.slowlog('GET', 100_000));
    const aof = filesBelow(redis.dir)
      .map((file) => readFileSync(file, 'latin1'))
      .join('\n');
    monitor.disconnect();
    service.kill('SIGTERM');
    await service.exited;

    // The header of a token is no secret: that of the sealed ring in the store reads the same.
    const tokens = Object.fromEntries(
      stage.tokens.map((token, i) => [`token ${i}`, token.slice(Math.max(0, token.indexOf('.')))]),
    );
    const seedsByName = Object.fromEntries(seeds.map((seed, i) => [`seed ${i}`, seed]));
    const nowhere = { ...KEYS, ...tokens, ...seedsByName, detail: DETAIL, START_KEY };
    if (seeds.length === 0 || stage.tokens.length < 20)
      throw new Error(
        `too little to search for: ${seeds.length} seeds, ${stage.tokens.length} tokens`,
      );
    // Records are what the store is for: details and seeds stand in its commands and files. Its own password is checked by it.
    const { 'password of Redis': _, ...apart } = KEYS;
    const inStore = { ...apart, ...tokens, START_KEY };
    const report = (
      place: string,
      text: string,
      secrets: Record<string, Secret>,
      marker: string,
    ) => ({
      place,
      characters: text.length,
      secrets: Object.keys(secrets).length,
      found: Object.entries(secrets).flatMap(([name, secret]) =>
        holdsSecret(text, secret) ? [name] : [],
      ),
      control: holdsSecret(text, marker),
    });
    return [
      report('stdout and stderr', service.output(), nowhere, 'session_refresh_reused'),
      report('error bodies', stage.errors, nowhere, 'invalid_refresh_token'),
      report('response headers', stage.headers, nowhere, 'session-refresh'),
      report('metrics', metrics, nowhere, 'session_refresh_replayed'),
      report('Redis MONITOR', commands, inStore, pair.sessionId),
      report('Redis SLOWLOG', slowlog, inStore, pair.sessionId),
      report('append-only file', aof, inStore, DETAIL),
    ];
  } finally {
    direct.disconnect();
    await service.stop();
    await network.stop();
    await redis.stop();
  }
}

if (process.argv[1] === import.meta.filename) {
  const places = await searchForSecrets();
  console.table(places.map((each) => ({ ...each, found: each.found.join(', ') })));
  process.exit(places.every(({ found, control }) => found.length === 0 && control) ? 0 : 1);
}
