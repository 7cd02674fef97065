// Owns session types in the memory of one process.

import { MAX_TYPES, type TypeStore } from '../sessions/type-store.ts';

export function createMemoryTypes(): TypeStore {
  const products = new Map<string, Map<string, string>>();
  const find = (product: string, tag: string) => products.get(product)?.get(tag);

  return {
    readType: async (product, tag) => find(product, tag),
    listTypes: async (product) => new Map(products.get(product)),
    async replaceType(product, tag, current, next) {
      const found = find(product, tag);
      if (found === next) return 'replaced';
      if (found !== current) return 'stale';
      const types = products.get(product) ?? new Map<string, string>();
      if (found === undefined && types.size >= MAX_TYPES) return 'full';
      products.set(product, types.set(tag, next));
      return 'replaced';
    },
    async removeType(product, tag, current) {
      const found = find(product, tag);
      if (found === undefined) return true;
      if (found !== current) return false;
      products.get(product)?.delete(tag);
      if (products.get(product)?.size === 0) products.delete(product);
      return true;
    },
  };
}
