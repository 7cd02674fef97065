// Owns the promise that records of any age are read: what a session rarely has is kept at the end, and only if it is there.

import { Decoder, encode } from '@msgpack/msgpack';
import { expect, it } from 'vitest';
import { decodeRecord, encodeRecord, HEAD_BYTES } from '../../src/stores/redis/record.ts';
import { sampleSession } from '../support/sessions.ts';

const fieldsOf = (record: Buffer) => new Decoder().decode(record.subarray(HEAD_BYTES)) as unknown[];

it('a session without claims and marks is kept as before', () => {
  const session = sampleSession();
  expect(fieldsOf(encodeRecord(session))).toHaveLength(11);
  const read = decodeRecord(encodeRecord(session), session);
  expect(read).not.toHaveProperty('claims');
  expect(read).not.toHaveProperty('successorSeen');
  expect(read).not.toHaveProperty('renewed');
});

it.each([
  { claims: { role: 'admin', nested: { a: [1, null] } } },
  { successorSeen: false },
  { successorSeen: true, renewed: true as const },
])('what a generation was given is read as it was written: %j', (over) => {
  const session = sampleSession(over);
  const read = decodeRecord(encodeRecord(session), session);
  expect(read).toMatchObject(over);
  expect({ ...read, seed: [...read.seed], revision: [...read.revision] }).toEqual({
    ...session,
    seed: [...session.seed],
    revision: [...session.revision],
  });
});

it('a program that knows more fields does no harm to one that does not', () => {
  const session = sampleSession({ claims: { role: 'admin' } });
  const record = encodeRecord(session);
  const later = encode([...fieldsOf(record), 'a field to come']);
  const read = decodeRecord(Buffer.concat([record.subarray(0, HEAD_BYTES), later]), session);
  expect(read.claims).toEqual({ role: 'admin' });
});
