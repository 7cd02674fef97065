// Owns the conformance of session types and API keys in memory.

import { MAX_API_KEYS, MAX_TYPES } from '../../src/stores/limits.ts';
import { createMemoryDocuments } from '../../src/stores/memory-documents.ts';
import { describeDocuments } from './documents-conformance.ts';

for (const [what, most] of [
  ['session types', MAX_TYPES],
  ['API keys', MAX_API_KEYS],
] as const) {
  describeDocuments(`${what} in memory`, async () => {
    const documents = createMemoryDocuments(most);
    return { documents, other: documents, most, close: async () => undefined };
  });
}
