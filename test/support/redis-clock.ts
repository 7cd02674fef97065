/** Owns the clock that a real Redis sees: libfaketime reads it from a file, which this module writes. */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findFaketime } from './redis-binary.ts';

export type RedisClock = {
  /** The instant the servers see, in ms since 1970. */
  nowMs(): number;
  /** Sets the servers' clock to this instant, in whole ms since 1970; it stands still there. Also backwards. */
  set(ms: number): Promise<void>;
  /** Moves the standing clock by so many ms. */
  advance(ms: number): Promise<void>;
};

export type RedisClockFile = RedisClock & {
  /** Environment variables that make a redis-server follow this clock. */
  readonly env: Readonly<Record<string, string>>;
  /** Deletes the file; call it when the servers are gone. */
  remove(): Promise<void>;
};

/**
 * Makes a clock that runs with the real one until it is first `set`; from then on it stands still. Any number of
 * servers may follow it. Once `set` or `advance` has returned, every command sent later sees the new time: the servers
 * read the file at each look at the clock.
 *
 * @throws Error when libfaketime is missing, with a word on what to install.
 */
export async function createRedisClock(): Promise<RedisClockFile> {
  const library = await findFaketime();
  const folder = await mkdtemp(path.join(tmpdir(), 'redis-clock-'));
  const file = path.join(folder, 'now');
  let frozenAt: number | undefined;
  let turns = 0;

  const write = async (text: string): Promise<void> => {
    // By rename, so that a server never reads half a line.
    await writeFile(`${file}.new`, `${text}\n`);
    await rename(`${file}.new`, file);
  };
  const nowMs = (): number => frozenAt ?? Date.now();
  const set = async (ms: number): Promise<void> => {
    await write(fakeTime(ms, turns++ % 8));
    frozenAt = ms;
  };

  await write('+0');
  return {
    nowMs,
    set,
    advance: (ms) => set(nowMs() + ms),
    env: { ...preload(library), ...settings(file) },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/**
 * libfaketime's absolute form, which stands still. The fraction passes through a double and is then cut off, hence the
 * 400 ns on top: they keep .123 from becoming .122999 and vanish in Redis, which counts µs. Those few differ from time to
 * time: scripts draw from them which writes tidy up.
 */
function fakeTime(ms: number, microseconds: number): string {
  if (!Number.isSafeInteger(ms) || ms < 0)
    throw new RangeError(`not a whole number of ms since 1970: ${ms}`);
  return `${new Date(ms).toISOString().replace('T', ' ').replace('Z', '')}00${microseconds}4`;
}

function preload(library: string): Record<string, string> {
  if (process.platform === 'darwin')
    return { DYLD_INSERT_LIBRARIES: library, DYLD_FORCE_FLAT_NAMESPACE: '1' };
  // libc next, so that its malloc is used and not jemalloc's: jemalloc asks for the time while it holds its lock, where
  // libfaketime allocates memory, and the server would hang at its very start.
  return { LD_PRELOAD: `${library} libc.so.6` };
}

function settings(file: string): Record<string, string> {
  return {
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    // Redis drives its timers by the monotonic clock; were it to stand still, so would serverCron.
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    NO_FAKE_STAT: '1',
    // Absolute times are read as local time.
    TZ: 'UTC',
  };
}
