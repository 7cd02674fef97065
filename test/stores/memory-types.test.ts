// Owns the conformance of session types in memory.

import { createMemoryTypes } from '../../src/stores/memory-types.ts';
import { describeTypeStore } from './types-conformance.ts';

describeTypeStore('memory', async () => {
  const types = createMemoryTypes();
  return { types, other: types, close: async () => undefined };
});
