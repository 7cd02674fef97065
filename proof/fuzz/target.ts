// Owns the real Redis and the real service process that are fuzzed, and reading the log as it comes without keeping it.

import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { startRedis } from '../../test/support/redis-server.ts';
import { spawnService, TEST_ROOT_KEY, TEST_SECRET } from '../../test/support/service-process.ts';

export interface Target {
  readonly port: number;
  readonly redis: Redis;
  readonly rootKey: string;
  readonly secret: string;
  /** From here on this may stand in no line of the log. */
  keepSecret(name: string, secret: string): void;
  /** Faults of the log so far: lines that are not one JSON object, or hold a secret. */
  readonly logFaults: readonly string[];
  /** Lines read so far. */
  logLines(): number;
  /** What the process said when it ended by itself; undefined while it runs. */
  ended(): string | undefined;
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 60_000;
const MOST_FAULTS = 20;

const portOf = (text: string): number | undefined => {
  const port = /"port":(\d+).*"msg":"listening"/.exec(text)?.[1];
  return port === undefined ? undefined : Number(port);
};

/** What may stand in no line: `secrets` by their names. */
function lineFault(line: string, secrets: ReadonlyMap<string, string>): string | undefined {
  for (const [name, secret] of secrets) {
    if (line.includes(secret)) return `a line of the log holds ${name}`;
  }
  try {
    const parsed: unknown = JSON.parse(line);
    return typeof parsed === 'object' && parsed !== null ? undefined : 'a line is no object';
  } catch {
    return `a line of the log is no JSON: ${JSON.stringify(line.slice(0, 200))}`;
  }
}

export async function startTarget(): Promise<Target> {
  const server = await startRedis();
  const redis = new Redis(server.url);
  const service = await spawnService({
    PORT: '0',
    SECRET: TEST_SECRET,
    ROOT_API_KEY: TEST_ROOT_KEY,
    REDIS_URL: server.url,
    // Else most requests would be refused for the wrong keys before them, and each refusal would count something.
    AUTH_FAILURES_PER_MINUTE: '0',
    LOG_LEVEL: 'trace',
    DOCS: 'true',
    // Long enough for the tokens of the fixtures to outlive any run, and for no refusal to be a reuse.
    TOKEN_TTL_SECONDS: '86400',
    REFRESH_RETRY_SECONDS: '300',
  });
  let over: string | undefined;
  let stopping = false;
  void service.exited.then((exit) => {
    if (!stopping) over = JSON.stringify(exit);
  });
  const stop = async (): Promise<void> => {
    stopping = true;
    service.child.kill('SIGKILL');
    await service.exited;
    redis.disconnect();
    await server.stop();
  };
  const deadline = performance.now() + START_TIMEOUT_MS;
  let port = portOf(service.output());
  while (port === undefined) {
    if (over !== undefined || performance.now() > deadline) {
      await stop();
      throw new Error(`the service did not start:\n${service.output()}`);
    }
    await delay(50);
    port = portOf(service.output());
  }
  const secrets = new Map([
    ['the API key', TEST_ROOT_KEY],
    ['SECRET', TEST_SECRET],
  ]);
  const logFaults: string[] = [];
  let lines = 0;
  let rest = '';
  const { stdout, stderr } = service.child;
  stdout?.removeAllListeners('data').on('data', (chunk: string) => {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) {
      lines++;
      const fault = lineFault(line, secrets);
      if (fault !== undefined && logFaults.length < MOST_FAULTS) logFaults.push(fault);
    }
  });
  stderr?.removeAllListeners('data').on('data', (chunk: string) => {
    if (logFaults.length < MOST_FAULTS) logFaults.push(`stderr: ${chunk.slice(0, 300)}`);
  });
  return {
    port,
    redis,
    rootKey: TEST_ROOT_KEY,
    secret: TEST_SECRET,
    keepSecret: (name, secret) => void secrets.set(name, secret),
    logFaults,
    logLines: () => lines,
    ended: () => over,
    stop,
  };
}
