// Owns the headers of conditional requests: If-Match and If-None-Match, and the ETag they speak of.

import type { IncomingHttpHeaders } from 'node:http';
import type { Precondition, Versions } from '../sessions/session-types.ts';

export const etagOf = (version: string): string => `"${version}"`;

/** The strong ETags of a header; a weak one never matches where content is to be replaced. */
function versionsIn(header: string | undefined): Versions | undefined {
  if (header === undefined) return undefined;
  if (header.trim() === '*') return 'any';
  return header.split(',').flatMap((part) => /^\s*"([^"]*)"\s*$/.exec(part)?.[1] ?? []);
}

export const preconditionOf = (headers: IncomingHttpHeaders): Precondition => ({
  ifMatch: versionsIn(headers['if-match']),
  ifNoneMatch: versionsIn(headers['if-none-match']),
});
