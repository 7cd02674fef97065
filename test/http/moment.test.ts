// Owns the proof that a moment is read as RFC 3339 means it, and that nothing else is taken for one.

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseMoment, rfc3339 } from '../../src/http/moment.ts';
import { createTestApp, type TestApp } from '../support/test-app.ts';
import { faultyFields, post } from './api.ts';

describe('a moment that is written', () => {
  it('is what the calendar says, to the millisecond', () => {
    const lastMs = Date.UTC(10_000, 0, 1) - 1;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: lastMs }), (ms) => {
        expect(rfc3339(ms)).toBe(new Date(ms).toISOString());
      }),
      { numRuns: 2000 },
    );
  });

  it.each([0, 86_399_999, 86_400_000, 951_782_400_000, 253_402_300_799_999])('%i', (ms) => {
    expect(rfc3339(ms)).toBe(new Date(ms).toISOString());
  });

  it('has no fraction of a millisecond', () => {
    expect(rfc3339(86_399_999.9)).toBe('1970-01-01T23:59:59.999Z');
  });

  it('is no text if it is no number', () => {
    expect(() => rfc3339(Number.NaN)).toThrow(RangeError);
  });
});

describe('a moment', () => {
  it.each([
    ['2030-01-02T03:04:05Z', '2030-01-02T03:04:05.000Z'],
    ['2030-01-02t03:04:05z', '2030-01-02T03:04:05.000Z'],
    ['2030-01-02T03:04:05.6Z', '2030-01-02T03:04:05.600Z'],
    ['2030-01-02T03:04:05.678999999Z', '2030-01-02T03:04:05.678Z'],
    ['2030-01-02T03:04:05+02:00', '2030-01-02T01:04:05.000Z'],
    ['2030-01-01T00:00:00-23:59', '2030-01-01T23:59:00.000Z'],
    ['2028-02-29T00:00:00Z', '2028-02-29T00:00:00.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ])('%s is %s', (text, meant) => {
    expect(new Date(parseMoment(text) ?? Number.NaN).toISOString()).toBe(meant);
  });

  it.each([
    'tomorrow',
    '2030-01-02',
    '2030-01-02T03:04Z',
    '2030-01-02 03:04:05Z',
    '2030-01-02T03:04:05',
    '2030-01-02T03:04:05.Z',
    '2030-01-02T03:04:05+0200',
    '2030-01-02T24:00:00Z',
    '2030-01-02T03:04:60Z',
    '2030-01-02T03:04:05+24:00',
    '2027-02-29T00:00:00Z',
    '2030-02-30T00:00:00Z',
    '2030-04-31T00:00:00+01:00',
    '2030-13-01T00:00:00Z',
    '2030-00-10T00:00:00Z',
    '9999-12-31T23:59:59-23:59',
    '+10000-01-01T00:00:00Z',
    '1893456000000',
    ' 2030-01-02T03:04:05Z',
    '2030-01-02T03:04:05Z\n',
    '',
  ])('is not %j', (text) => {
    expect(parseMoment(text)).toBeUndefined();
  });

  it('that this service writes is read back as the same, and any text is judged without an error', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799_999 }), (ms) => {
        expect(parseMoment(new Date(ms).toISOString())).toBe(ms);
      }),
    );
    fc.assert(fc.property(fc.string(), (text) => void parseMoment(text)));
  });
});

describe('the expiry of a key', () => {
  let running: TestApp;
  beforeAll(async () => {
    running = await createTestApp();
  });
  afterAll(() => running.app.close());
  const make = (expiresAt: string) =>
    post(running.app, '/api-keys', { name: 'x', permissions: ['issue'], expiresAt });

  it('may be written with an offset, and is shown in UTC', async () => {
    const answer = await make('2100-01-01T02:00:00+02:00');
    expect(answer.json()).toMatchObject({ expiresAt: '2100-01-01T00:00:00.000Z' });
  });

  it.each(['2100-02-30T00:00:00Z', '9999-12-31T23:59:59-23:59', '2000-01-01T00:00:00Z'])(
    'cannot be %s',
    async (expiresAt) => {
      expect(faultyFields(await make(expiresAt))).toEqual(['/expiresAt']);
    },
  );
});
