// Owns session types in Redis: one hash a product, changed by compare-and-swap on the text of a type.

import { MAX_TYPES, type TypeReplacement, type TypeStore } from '../../sessions/type-store.ts';
import type { ScriptRunner } from './run-script.ts';

const typesKey = (product: string): string => `types:{${product}}`;

export function createRedisTypes({ run, runDurably }: ScriptRunner): TypeStore {
  return {
    async readType(product, tag) {
      const text = await run('readType', [typesKey(product)], [tag]);
      return Buffer.isBuffer(text) ? text.toString() : undefined;
    },
    async listTypes(product) {
      const flat = (await run('listTypes', [typesKey(product)])) as Buffer[];
      return new Map(
        Array.from({ length: flat.length / 2 }, (_, i) => [
          String(flat[2 * i]),
          String(flat[2 * i + 1]),
        ]),
      );
    },
    async replaceType(product, tag, current, next) {
      const [reply] = await runDurably('replaceType', {
        keys: [typesKey(product)],
        args: [tag, current ?? '', next, MAX_TYPES],
      });
      return String(reply) as TypeReplacement;
    },
    async removeType(product, tag, current) {
      const [removed] = await runDurably('removeType', {
        keys: [typesKey(product)],
        args: [tag, current],
      });
      return Number(removed) === 1;
    },
  };
}
