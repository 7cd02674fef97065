// Owns the connection to Redis: every ioredis setting that matters here, stated, because its defaults wait for ever and queue without bound.

import { Cluster, Redis } from 'ioredis';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export interface RedisCredentials {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly tls: boolean;
}

export type RedisTarget =
  | { readonly mode: 'single'; readonly url: string }
  | ({
      readonly mode: 'sentinel';
      readonly sentinels: readonly HostPort[];
      readonly name: string;
      readonly sentinelPassword?: string | undefined;
    } & RedisCredentials)
  | ({ readonly mode: 'cluster'; readonly nodes: readonly HostPort[] } & RedisCredentials);

export type RedisClient = Redis | Cluster;

const CONNECT_TIMEOUT_MS = 1000;
/** A connection that owes an answer for this long is dead (a frozen server, a half-open socket): its commands fail and it is made anew. */
const SILENCE_MS = 1000;
/** Recovery within 3 s of the store being usable (invariant I9) bounds the pause between attempts. */
const retryDelayMs = (attempt: number): number => Math.min(50 * 2 ** Math.min(attempt, 4), 500);

const common = {
  connectTimeout: CONNECT_TIMEOUT_MS,
  socketTimeout: SILENCE_MS,
  // Without a connection a command fails at once; the queue of ioredis grew by 838 MB in 4 s when measured.
  enableOfflineQueue: false,
  // A command whose connection broke is sent once more, then fails. Every script is harmless when executed twice.
  maxRetriesPerRequest: 1,
  autoResendUnfulfilledCommands: true,
  retryStrategy: retryDelayMs,
  maxLoadingRetryTime: 500,
  // A demoted primary answers READONLY: connect anew (Sentinel then names the new one) and send the command again.
  reconnectOnError: (error: Error) => (error.message.startsWith('READONLY') ? (2 as const) : false),
  // Redis 7.0 does not know CLIENT SETINFO.
  disableClientInfo: true,
};

interface Settings extends Readonly<Omit<typeof common, 'autoResendUnfulfilledCommands'>> {
  readonly autoResendUnfulfilledCommands: boolean;
  readonly commandTimeout?: number;
  /** How long a Cluster waits before it sends a command again whose connection broke, and asks for its slots anew; 0: it does neither. */
  readonly retryDelayOnFailover: number;
}
/** During a failover of a Cluster, between two questions for its slots: to take them in costs several ms of CPU, on each of ten connections. */
const FAILOVER_PAUSE_MS = 250;
const patient: Settings = { ...common, retryDelayOnFailover: FAILOVER_PAUSE_MS };
const once: Settings = {
  ...patient,
  autoResendUnfulfilledCommands: false,
  // Else a command whose connection broke would be neither sent again nor answered.
  maxRetriesPerRequest: 0,
  retryDelayOnFailover: 0,
};
const IMPATIENCE_MS = 100;

const credentials = ({ username, password, tls }: RedisCredentials) => ({
  ...(username === undefined ? {} : { username }),
  ...(password === undefined ? {} : { password }),
  ...(tls ? { tls: {} } : {}),
});

const clusterOptions = (
  target: RedisCredentials,
  { retryDelayOnFailover, ...settings }: Settings,
) => ({
  redisOptions: { ...settings, ...credentials(target) },
  retryDelayOnFailover,
  // Until a replica has been promoted all primaries refuse.
  retryDelayOnClusterDown: FAILOVER_PAUSE_MS,
  // With 10 s pipelines did not find the primary after an ordered switch within 3 s (invariant I9).
  slotsRefreshInterval: 2000,
  enableOfflineQueue: false,
  scaleReads: 'master' as const,
  clusterRetryStrategy: retryDelayMs,
  slotsRefreshTimeout: 1000,
  maxRedirections: 6,
});

/**
 * What an error of ioredis is, in one word: the code of Redis's reply (OOM, WRONGPASS), of the system (ECONNREFUSED), or its name.
 * Its text may carry the arguments of a command, tokens and details among them, and must not be passed on.
 */
export function errorCode({ name, message, code }: Error & { code?: string }): string {
  // The two ways in which ioredis refuses a command for want of a connection; neither carries a code.
  if (/^(Connection is closed|Stream isn't writeable)/.test(message)) return 'not connected';
  if (message.startsWith('All sentinels are unreachable')) return 'no sentinel';
  return /^[A-Z][A-Z0-9]+(?= )/.exec(message)?.[0] ?? code ?? name;
}

/**
 * Opens a connection to the target; it connects in the background and for ever again. `onTrouble` gets the code of each
 * connection error, never its text.
 */
export function connectRedis(
  target: RedisTarget,
  onTrouble: (code: string) => void,
  settings: Settings = patient,
): RedisClient {
  const client = open(target, settings);
  const report = (error: Error) => onTrouble(errorCode(error));
  client.on('error', report);
  // A Cluster says there that all its nodes failed, and here what each of them has.
  client.on('node error', report);
  // No more than a name is ever asked of a Sentinel, so what it says may be passed on.
  client.on('sentinelError', ({ message }: Error) => onTrouble(message));
  return client;
}

/**
 * A connection that sends no command twice. What makes something out of nothing must not be sent again: what it made may have been
 * seen, and ended, by somebody else meanwhile (ADR 17).
 */
export const connectOnce = (target: RedisTarget, onTrouble: (code: string) => void): RedisClient =>
  connectRedis(target, onTrouble, once);

/** A connection for what must not wait: its commands fail after a tenth of a second. */
export const connectImpatiently = (
  target: RedisTarget,
  onTrouble: (code: string) => void,
): RedisClient =>
  connectRedis(target, onTrouble, {
    ...patient,
    commandTimeout: IMPATIENCE_MS,
  });

function open(target: RedisTarget, settings: Settings): RedisClient {
  switch (target.mode) {
    case 'single':
      return new Redis(target.url, settings);
    case 'sentinel':
      return new Redis({
        ...settings,
        ...credentials(target),
        sentinels: target.sentinels.map(({ host, port }) => ({ host, port })),
        name: target.name,
        role: 'master' as const,
        // Without this ioredis passes over `tls` here, and the password goes out in clear.
        ...(target.tls ? { enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
        sentinelRetryStrategy: retryDelayMs,
        failoverDetector: true,
        ...(target.sentinelPassword === undefined
          ? {}
          : { sentinelPassword: target.sentinelPassword }),
      });
    case 'cluster':
      return new Cluster([...target.nodes], clusterOptions(target, settings));
  }
}

/** The primaries that a connection knows. */
export const primariesOf = (client: RedisClient): readonly Redis[] =>
  client instanceof Cluster ? client.nodes('master') : [client];

/**
 * Resolves once every primary has answered. A Cluster by itself connects for the first command that needs a node, and refuses those that
 * come meanwhile.
 */
export async function reachPrimaries(client: RedisClient): Promise<void> {
  await Promise.all(primariesOf(client).map((node) => node.ping()));
}
