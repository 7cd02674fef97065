// Owns the promises of sealing: only holders of SECRET can make or read what is sealed, for one purpose, in one spelling.

import { webcrypto } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { systemRandom } from '../../src/sessions/ambient.ts';
import { createSealer } from '../../src/sessions/sealing.ts';

const A = 'secret-a-of-at-least-32-bytes-long!!';
const B = 'secret-b-of-at-least-32-bytes-long!!';
const sealer = (...secrets: string[]) => createSealer(secrets, 'refresh-token', systemRandom);

describe('a sealed text', () => {
  it('opens under the secret that sealed it, which says whether it is the current one', async () => {
    const sealed = await sealer(A).seal('hello');
    expect(await sealer(A).open(sealed)).toEqual({ text: 'hello', current: true });
    expect(await sealer(B, A).open(sealed)).toEqual({ text: 'hello', current: false });
    expect(await sealer(B).open(sealed)).toBeUndefined();
  });

  it('does not open for another purpose', async () => {
    const sealed = await sealer(A).seal('hello');
    expect(await createSealer([A], 'list-cursor', systemRandom).open(sealed)).toBeUndefined();
  });

  it('does not open once a single character is changed, anywhere', async () => {
    const sealed = await sealer(A).seal('hello');
    for (let at = 0; at < sealed.length; at++) {
      const changed = `${sealed.slice(0, at)}${sealed[at] === 'A' ? 'B' : 'A'}${sealed.slice(at + 1)}`;
      expect(await sealer(A).open(changed)).toBeUndefined();
    }
  });

  it.each([
    ['padding', (text: string) => `${text}==`],
    ['white space', (text: string) => ` ${text}`],
    ['a line break at the end', (text: string) => `${text}\n`],
    ['an encrypted key', (text: string) => text.replace('..', '.AAAA.')],
    ['nothing', () => ''],
  ])('does not open in another spelling: with %s', async (_what, respell) => {
    expect(await sealer(A).open(respell(await sealer(A).seal('hello')))).toBeUndefined();
  });

  it('looks different each time and uses many keys', async () => {
    const all = await Promise.all(Array.from({ length: 200 }, () => sealer(A).seal('hello')));
    expect(new Set(all).size).toBe(200);
    expect(new Set(all.map((text) => text.split('.')[0])).size).toBeGreaterThan(80);
  });

  it('has the nonce that was drawn for it', async () => {
    const drawn: string[] = [];
    const counting = (size: number) => {
      const bytes = systemRandom(size);
      drawn.push(bytes.toString('base64url'));
      return bytes;
    };
    const own = createSealer([A], 'refresh-token', counting);
    const nonces: (string | undefined)[] = [];
    for (let i = 0; i < 50; i++) nonces.push((await own.seal('hello')).split('.')[2]);
    expect(nonces).toEqual(drawn.filter((text) => text.length === 16));
  });

  it('shares its nonce with no other', async () => {
    const own = sealer(A);
    const all = await Promise.all(Array.from({ length: 2000 }, () => own.seal('hello')));
    const nonces = all.map((text) => Buffer.from(text.split('.')[2] ?? '', 'base64url'));
    expect(new Set(nonces.map((nonce) => nonce.toString('hex'))).size).toBe(2000);
    // Nor does one of its bytes stand still.
    for (let at = 0; at < 12; at++) {
      expect(new Set(nonces.map((nonce) => nonce[at])).size).toBeGreaterThan(200);
    }
  });
});

it('a defect of the cryptography is not taken for a bad token', async () => {
  const sealed = await sealer(A).seal('hello');
  const broken = vi.spyOn(webcrypto.subtle, 'importKey').mockRejectedValue(new TypeError('broken'));
  await expect(sealer(A).open(sealed)).rejects.toThrow('broken');
  broken.mockRestore();
});

it('without a secret nothing is sealed', async () => {
  await expect(sealer().seal('hello')).rejects.toThrow(TypeError);
});
