// Owns the search for secrets in what the processes of a run have written, at log level trace.

import { TEST_SECRET } from '../test/support/service-process.ts';
import type { Client } from './client.ts';
import { DETAIL } from './lives.ts';
import { holdsSecret } from './secret-search.ts';
import type { World } from './worlds.ts';

/** What every process writes: without it the search proves nothing. */
const CONTROL = 'listening';

/** Parts of tokens are longer. */
const RUN_OF_TOKEN = /[A-Za-z0-9_-]{24,}/g;

/** How many secrets stand in it: keys, SECRET and details in any spelling; of tokens, of which there are thousands, the parts that are their own. */
export function secretsWritten(
  world: World,
  { tokenParts }: Client,
  keys: readonly string[],
): number {
  return (
    world
      .output()
      // Outside production the start prints a command with the root key, for whoever has just started it.
      .map((output) => output.replace(/^curl .*$/m, ''))
      .reduce((sum, output) => {
        if (!holdsSecret(output, CONTROL)) throw new Error('the search finds nothing at all');
        const runs = output.match(RUN_OF_TOKEN) ?? [];
        const known = [...keys, TEST_SECRET, DETAIL];
        return (
          sum +
          runs.filter((run) => tokenParts.has(run)).length +
          known.filter((secret) => holdsSecret(output, secret)).length
        );
      }, 0)
  );
}
