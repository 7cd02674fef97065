// Owns the proof that the method lent to old engines is that of the standard, and stays away from engines that have it.

import fc from 'fast-check';
import { base64url } from 'jose';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { toBase64 } from '../src/to-base64.ts';

const own = Object.getOwnPropertyDescriptor(Uint8Array.prototype, 'toBase64');
afterEach(() => {
  vi.restoreAllMocks();
  Object.defineProperty(Uint8Array.prototype, 'toBase64', own as PropertyDescriptor);
});

const withoutPadding = (text: string) => text.replaceAll('=', '');
const forUrls = (text: string) => text.replaceAll('+', '-').replaceAll('/', '_');

describe('toBase64', () => {
  it('writes both alphabets, padded or not, as RFC 4648 has them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        // btoa is the reference: another implementation, of the engine.
        const padded = btoa(String.fromCharCode(...bytes));
        expect(toBase64.call(bytes)).toBe(padded);
        expect(toBase64.call(bytes, { omitPadding: true })).toBe(withoutPadding(padded));
        expect(toBase64.call(bytes, { alphabet: 'base64url' })).toBe(forUrls(padded));
        expect(toBase64.call(bytes, { alphabet: 'base64url', omitPadding: true })).toBe(
          withoutPadding(forUrls(padded)),
        );
      }),
    );
  });

  it('writes the part of a larger memory that it is asked for', () => {
    expect(toBase64.call(new TextEncoder().encode('abcdef').subarray(2, 5))).toBe('Y2Rl');
  });

  it('knows no other alphabet, and nothing but bytes', () => {
    const alphabet = 'hex' as 'base64';
    expect(() => toBase64.call(new Uint8Array(2), { alphabet })).toThrow(TypeError);
    expect(() => toBase64.call(new Uint16Array(2) as unknown as Uint8Array)).toThrow(TypeError);
  });

  it('is what jose writes with, and nothing that a loop over bytes would meet', () => {
    const bytes = new TextEncoder().encode('jose?>');
    const writes = vi.spyOn(Uint8Array.prototype as { toBase64?: typeof toBase64 }, 'toBase64');
    expect(base64url.encode(bytes)).toBe('am9zZT8-');
    expect(writes).toHaveBeenCalledOnce();
    writes.mockRestore();
    expect(Object.keys(Uint8Array.prototype)).not.toContain('toBase64');
    const members: string[] = [];
    for (const member in bytes) members.push(member);
    expect(members).toEqual(['0', '1', '2', '3', '4', '5']);
  });

  it('leaves an engine alone that has its own', async () => {
    const native = () => 'of the engine';
    Object.defineProperty(Uint8Array.prototype, 'toBase64', { value: native, configurable: true });
    vi.resetModules();
    await import('../src/to-base64.ts');
    expect(base64url.encode(new Uint8Array(3))).toBe('of the engine');
  });
});
