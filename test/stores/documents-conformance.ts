// Owns the one suite that every store of small documents must pass, whether session types or API keys.

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DocumentStore } from '../../src/sessions/document-store.ts';

export interface DocumentsUnderTest {
  readonly documents: DocumentStore;
  /** A second connection to the same data: another instance of the service. */
  readonly other: DocumentStore;
  /** Documents that a collection may hold. */
  readonly most: number;
  close(): Promise<void>;
}

const newCollection = () => `p${randomBytes(6).toString('hex')}`;

export function describeDocuments(name: string, open: () => Promise<DocumentsUnderTest>): void {
  describe(name, () => {
    let at: DocumentsUnderTest;
    let documents: DocumentStore;
    beforeAll(async () => {
      at = await open();
      documents = at.documents;
    });
    afterAll(() => at?.close());

    it('are read by every instance as they were written, whatever their text', async () => {
      const collection = newCollection();
      const text = JSON.stringify({ name: 'Ω 你好 🙂\u0000"' });
      expect(await documents.readDocument(collection, 'a')).toBeUndefined();
      expect(await documents.replaceDocument(collection, 'a', undefined, text)).toBe('replaced');
      expect(await at.other.readDocument(collection, 'a')).toBe(text);
    });

    it('belong to their collection and name alone', async () => {
      const collection = newCollection();
      await documents.replaceDocument(collection, 'a', undefined, 'one');
      expect(await documents.readDocument(collection, 'A')).toBeUndefined();
      expect(await documents.readDocument(`${collection}x`, 'a')).toBeUndefined();
      expect(await documents.listDocuments(`${collection}x`)).toEqual(new Map());
    });

    it('are listed whole', async () => {
      const collection = newCollection();
      await documents.replaceDocument(collection, 'b', undefined, 'two');
      await documents.replaceDocument(collection, 'a', undefined, 'one');
      expect(await at.other.listDocuments(collection)).toEqual(
        new Map([
          ['a', 'one'],
          ['b', 'two'],
        ]),
      );
    });

    it('change only if they are what the writer has seen', async () => {
      const collection = newCollection();
      await documents.replaceDocument(collection, 'a', undefined, 'one');
      expect(await documents.replaceDocument(collection, 'a', undefined, 'two')).toBe('stale');
      expect(await documents.replaceDocument(collection, 'a', 'other', 'two')).toBe('stale');
      expect(await documents.replaceDocument(collection, 'a', 'one', 'two')).toBe('replaced');
      expect(await documents.replaceDocument(collection, 'b', 'gone', 'two')).toBe('stale');
      expect(await documents.readDocument(collection, 'a')).toBe('two');
    });

    it('are written once when a write is sent twice', async () => {
      const collection = newCollection();
      await documents.replaceDocument(collection, 'a', undefined, 'one');
      expect(await at.other.replaceDocument(collection, 'a', undefined, 'one')).toBe('replaced');
      await documents.replaceDocument(collection, 'a', 'one', 'two');
      expect(await at.other.replaceDocument(collection, 'a', 'one', 'two')).toBe('replaced');
      expect(await documents.listDocuments(collection)).toEqual(new Map([['a', 'two']]));
    });

    it('are removed only as they were seen, and removing twice is removing', async () => {
      const collection = newCollection();
      await documents.replaceDocument(collection, 'a', undefined, 'one');
      expect(await documents.removeDocument(collection, 'a', 'other')).toBe(false);
      expect(await documents.readDocument(collection, 'a')).toBe('one');
      expect(await documents.removeDocument(collection, 'a', 'one')).toBe(true);
      expect(await at.other.removeDocument(collection, 'a', 'one')).toBe(true);
      expect(await documents.listDocuments(collection)).toEqual(new Map());
    });

    it('are at most so many in one collection; those that are there can still be changed', async () => {
      const collection = newCollection();
      for (let i = 0; i < at.most; i++) {
        expect(await documents.replaceDocument(collection, `t${i}`, undefined, 'one')).toBe(
          'replaced',
        );
      }
      expect(await documents.replaceDocument(collection, 'more', undefined, 'one')).toBe('full');
      expect(await documents.replaceDocument(collection, 't7', 'one', 'two')).toBe('replaced');
      expect(await documents.replaceDocument(collection, 't7', 'one', 'two')).toBe('replaced');
      await documents.removeDocument(collection, 't8', 'one');
      expect(await documents.replaceDocument(collection, 'more', undefined, 'one')).toBe(
        'replaced',
      );
    });

    it('of many racing writers one wins', async () => {
      const collection = newCollection();
      await documents.replaceDocument(collection, 'a', undefined, 'start');
      const outcomes = await Promise.all(
        Array.from({ length: 100 }, (_, i) =>
          (i % 2 ? documents : at.other).replaceDocument(collection, 'a', 'start', `writer ${i}`),
        ),
      );
      expect(outcomes.filter((outcome) => outcome === 'replaced')).toHaveLength(1);
      const winner = outcomes.indexOf('replaced');
      expect(await documents.readDocument(collection, 'a')).toBe(`writer ${winner}`);
    });
  });
}
