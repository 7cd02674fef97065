// Owns the search of a run for secrets: in all that the service said and wrote, at log level trace, and in all that its store was told.

import { withRedis } from '../test/support/redis-client.ts';
import { TEST_ROOT_KEY, TEST_SECRET } from '../test/support/service-process.ts';
import { type Client, userOf } from './client.ts';
import { DETAIL, START_KEY } from './lives.ts';
import { holdsSecret, type Secret } from './secret-search.ts';
import { type StoreEvidence, seedsIn } from './store-witness.ts';
import type { World } from './worlds.ts';

/** Parts of tokens are longer than the one and shorter than the other; without that end one megabyte of letters is too much for the engine. */
const RUN_OF_TOKEN = /[A-Za-z0-9_-]{24,4096}/g;
/** Every seed is searched for in twenty spellings; thousands are there. */
const MOST_SEEDS = 8;

interface Place {
  readonly name: string;
  readonly text: string;
  readonly secrets: readonly Secret[];
  /** What must stand there: without it the search proves nothing. */
  readonly control: string | undefined;
}

async function metricsOf({ services }: World): Promise<string> {
  const answers = await Promise.all(
    services.map(({ url }) =>
      fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${TEST_ROOT_KEY}` } }),
    ),
  );
  return (await Promise.all(answers.map((answer) => answer.text()))).join('\n');
}

/** Seeds of sessions that are there now, some of them. */
export async function someSeeds({ servers }: World): Promise<readonly Buffer[]> {
  const all = await Promise.all(
    servers.map(({ port }) => withRedis(port, seedsIn).catch((): readonly Buffer[] => [])),
  );
  return all.flat().slice(0, MOST_SEEDS);
}

/** Each place in which secrets stand, and how many: keys, SECRET and details in any spelling; of tokens, of which there are thousands, the parts that are their own. */
export async function secretsWritten(
  world: World,
  { tokenParts, errorBodies }: Client,
  keys: readonly string[],
  seeds: readonly Buffer[],
  store: StoreEvidence,
): Promise<readonly string[]> {
  const inStore = [...keys, TEST_SECRET, START_KEY];
  // Records are what the store is for: details and seeds stand in its commands and files.
  const nowhere = [...inStore, DETAIL, ...seeds];
  const places: readonly Place[] = [
    ...world.output().map((text) => ({
      name: 'output',
      // Outside production the start prints a command with the root key, for whoever has just started it.
      text: text.replace(/^curl .*$/m, ''),
      secrets: nowhere,
      control: 'listening',
    })),
    { name: 'error bodies', text: errorBodies.join('\n'), secrets: nowhere, control: '"code"' },
    {
      name: 'metrics',
      text: await metricsOf(world),
      secrets: nowhere,
      control: 'session_events_total',
    },
    { name: 'MONITOR', text: store.monitor, secrets: inStore, control: userOf(1) },
    // Of a server that was started anew it is empty.
    { name: 'SLOWLOG', text: store.slowlog, secrets: inStore, control: undefined },
    {
      name: 'files of Redis',
      text: store.files,
      secrets: inStore,
      control: store.persists ? 'user-session' : undefined,
    },
  ];
  const none = seeds.length === 0 ? ['there was no seed to search for'] : [];
  const found = places.flatMap(({ name, text, secrets, control }) => {
    if (control !== undefined && !text.includes(control)) {
      return [`the search of ${name} finds not even what must stand there`];
    }
    const parts = (text.match(RUN_OF_TOKEN) ?? []).filter((run) => tokenParts.has(run)).length;
    const number = parts + secrets.filter((secret) => holdsSecret(text, secret)).length;
    return number > 0 ? [`${number} secrets stand in ${name}`] : [];
  });
  return [...none, ...found];
}
