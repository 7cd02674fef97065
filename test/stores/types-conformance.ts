// Owns the one suite that every store of session types must pass.

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAX_TYPES, type TypeStore } from '../../src/sessions/type-store.ts';

export interface TypesUnderTest {
  readonly types: TypeStore;
  /** A second connection to the same data: another instance of the service. */
  readonly other: TypeStore;
  close(): Promise<void>;
}

const newProduct = () => `p${randomBytes(6).toString('hex')}`;

export function describeTypeStore(name: string, open: () => Promise<TypesUnderTest>): void {
  describe(`session types in ${name}`, () => {
    let at: TypesUnderTest;
    let types: TypeStore;
    beforeAll(async () => {
      at = await open();
      types = at.types;
    });
    afterAll(() => at?.close());

    it('are read by every instance as they were written, whatever their text', async () => {
      const product = newProduct();
      const text = JSON.stringify({ name: 'Ω 你好 🙂\u0000"' });
      expect(await types.readType(product, 'a')).toBeUndefined();
      expect(await types.replaceType(product, 'a', undefined, text)).toBe('replaced');
      expect(await at.other.readType(product, 'a')).toBe(text);
    });

    it('belong to their product and tag alone', async () => {
      const product = newProduct();
      await types.replaceType(product, 'a', undefined, 'one');
      expect(await types.readType(product, 'A')).toBeUndefined();
      expect(await types.readType(`${product}x`, 'a')).toBeUndefined();
      expect(await types.listTypes(`${product}x`)).toEqual(new Map());
    });

    it('are listed whole', async () => {
      const product = newProduct();
      await types.replaceType(product, 'b', undefined, 'two');
      await types.replaceType(product, 'a', undefined, 'one');
      expect(await at.other.listTypes(product)).toEqual(
        new Map([
          ['a', 'one'],
          ['b', 'two'],
        ]),
      );
    });

    it('change only if they are what the writer has seen', async () => {
      const product = newProduct();
      await types.replaceType(product, 'a', undefined, 'one');
      expect(await types.replaceType(product, 'a', undefined, 'two')).toBe('stale');
      expect(await types.replaceType(product, 'a', 'other', 'two')).toBe('stale');
      expect(await types.replaceType(product, 'a', 'one', 'two')).toBe('replaced');
      expect(await types.replaceType(product, 'b', 'gone', 'two')).toBe('stale');
      expect(await types.readType(product, 'a')).toBe('two');
    });

    it('are written once when a write is sent twice', async () => {
      const product = newProduct();
      await types.replaceType(product, 'a', undefined, 'one');
      expect(await at.other.replaceType(product, 'a', undefined, 'one')).toBe('replaced');
      await types.replaceType(product, 'a', 'one', 'two');
      expect(await at.other.replaceType(product, 'a', 'one', 'two')).toBe('replaced');
      expect(await types.listTypes(product)).toEqual(new Map([['a', 'two']]));
    });

    it('are removed only as they were seen, and removing twice is removing', async () => {
      const product = newProduct();
      await types.replaceType(product, 'a', undefined, 'one');
      expect(await types.removeType(product, 'a', 'other')).toBe(false);
      expect(await types.readType(product, 'a')).toBe('one');
      expect(await types.removeType(product, 'a', 'one')).toBe(true);
      expect(await at.other.removeType(product, 'a', 'one')).toBe(true);
      expect(await types.listTypes(product)).toEqual(new Map());
    });

    it('are at most so many for one product; those that are there can still be changed', async () => {
      const product = newProduct();
      for (let i = 0; i < MAX_TYPES; i++) {
        expect(await types.replaceType(product, `t${i}`, undefined, 'one')).toBe('replaced');
      }
      expect(await types.replaceType(product, 'more', undefined, 'one')).toBe('full');
      expect(await types.replaceType(product, 't7', 'one', 'two')).toBe('replaced');
      expect(await types.replaceType(product, 't7', 'one', 'two')).toBe('replaced');
      await types.removeType(product, 't8', 'one');
      expect(await types.replaceType(product, 'more', undefined, 'one')).toBe('replaced');
    });

    it('of many racing writers one wins', async () => {
      const product = newProduct();
      await types.replaceType(product, 'a', undefined, 'start');
      const outcomes = await Promise.all(
        Array.from({ length: 100 }, (_, i) =>
          (i % 2 ? types : at.other).replaceType(product, 'a', 'start', `writer ${i}`),
        ),
      );
      expect(outcomes.filter((outcome) => outcome === 'replaced')).toHaveLength(1);
      const winner = outcomes.indexOf('replaced');
      expect(await types.readType(product, 'a')).toBe(`writer ${winner}`);
    });
  });
}
