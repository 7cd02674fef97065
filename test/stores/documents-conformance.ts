// Owns the one suite that every store of session types must pass.

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DocumentStore } from '../../src/sessions/document-store.ts';

export interface TypesUnderTest {
  readonly types: DocumentStore;
  /** A second connection to the same data: another instance of the service. */
  readonly other: DocumentStore;
  close(): Promise<void>;
}

/** Documents that a collection under test may hold. */
export const MOST = 256;

const newProduct = () => `p${randomBytes(6).toString('hex')}`;

export function describeTypeStore(name: string, open: () => Promise<TypesUnderTest>): void {
  describe(`session types in ${name}`, () => {
    let at: TypesUnderTest;
    let types: DocumentStore;
    beforeAll(async () => {
      at = await open();
      types = at.types;
    });
    afterAll(() => at?.close());

    it('are read by every instance as they were written, whatever their text', async () => {
      const product = newProduct();
      const text = JSON.stringify({ name: 'Ω 你好 🙂\u0000"' });
      expect(await types.readDocument(product, 'a')).toBeUndefined();
      expect(await types.replaceDocument(product, 'a', undefined, text)).toBe('replaced');
      expect(await at.other.readDocument(product, 'a')).toBe(text);
    });

    it('belong to their product and tag alone', async () => {
      const product = newProduct();
      await types.replaceDocument(product, 'a', undefined, 'one');
      expect(await types.readDocument(product, 'A')).toBeUndefined();
      expect(await types.readDocument(`${product}x`, 'a')).toBeUndefined();
      expect(await types.listDocuments(`${product}x`)).toEqual(new Map());
    });

    it('are listed whole', async () => {
      const product = newProduct();
      await types.replaceDocument(product, 'b', undefined, 'two');
      await types.replaceDocument(product, 'a', undefined, 'one');
      expect(await at.other.listDocuments(product)).toEqual(
        new Map([
          ['a', 'one'],
          ['b', 'two'],
        ]),
      );
    });

    it('change only if they are what the writer has seen', async () => {
      const product = newProduct();
      await types.replaceDocument(product, 'a', undefined, 'one');
      expect(await types.replaceDocument(product, 'a', undefined, 'two')).toBe('stale');
      expect(await types.replaceDocument(product, 'a', 'other', 'two')).toBe('stale');
      expect(await types.replaceDocument(product, 'a', 'one', 'two')).toBe('replaced');
      expect(await types.replaceDocument(product, 'b', 'gone', 'two')).toBe('stale');
      expect(await types.readDocument(product, 'a')).toBe('two');
    });

    it('are written once when a write is sent twice', async () => {
      const product = newProduct();
      await types.replaceDocument(product, 'a', undefined, 'one');
      expect(await at.other.replaceDocument(product, 'a', undefined, 'one')).toBe('replaced');
      await types.replaceDocument(product, 'a', 'one', 'two');
      expect(await at.other.replaceDocument(product, 'a', 'one', 'two')).toBe('replaced');
      expect(await types.listDocuments(product)).toEqual(new Map([['a', 'two']]));
    });

    it('are removed only as they were seen, and removing twice is removing', async () => {
      const product = newProduct();
      await types.replaceDocument(product, 'a', undefined, 'one');
      expect(await types.removeDocument(product, 'a', 'other')).toBe(false);
      expect(await types.readDocument(product, 'a')).toBe('one');
      expect(await types.removeDocument(product, 'a', 'one')).toBe(true);
      expect(await at.other.removeDocument(product, 'a', 'one')).toBe(true);
      expect(await types.listDocuments(product)).toEqual(new Map());
    });

    it('are at most so many for one product; those that are there can still be changed', async () => {
      const product = newProduct();
      for (let i = 0; i < MOST; i++) {
        expect(await types.replaceDocument(product, `t${i}`, undefined, 'one')).toBe('replaced');
      }
      expect(await types.replaceDocument(product, 'more', undefined, 'one')).toBe('full');
      expect(await types.replaceDocument(product, 't7', 'one', 'two')).toBe('replaced');
      expect(await types.replaceDocument(product, 't7', 'one', 'two')).toBe('replaced');
      await types.removeDocument(product, 't8', 'one');
      expect(await types.replaceDocument(product, 'more', undefined, 'one')).toBe('replaced');
    });

    it('of many racing writers one wins', async () => {
      const product = newProduct();
      await types.replaceDocument(product, 'a', undefined, 'start');
      const outcomes = await Promise.all(
        Array.from({ length: 100 }, (_, i) =>
          (i % 2 ? types : at.other).replaceDocument(product, 'a', 'start', `writer ${i}`),
        ),
      );
      expect(outcomes.filter((outcome) => outcome === 'replaced')).toHaveLength(1);
      const winner = outcomes.indexOf('replaced');
      expect(await types.readDocument(product, 'a')).toBe(`writer ${winner}`);
    });
  });
}
