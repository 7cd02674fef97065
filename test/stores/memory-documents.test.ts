// Owns the conformance of session types in memory.

import { createMemoryDocuments } from '../../src/stores/memory-documents.ts';
import { describeTypeStore, MOST } from './documents-conformance.ts';

describeTypeStore('memory', async () => {
  const types = createMemoryDocuments(MOST);
  return { types, other: types, close: async () => undefined };
});
