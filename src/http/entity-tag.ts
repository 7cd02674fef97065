// Owns the entity tags of RFC 9110: what an answer carries, and which of them a request demands.

/** A strong entity tag. */
export const entityTag = (revision: string): string => `"${revision}"`;

/** The revisions that `If-Match` names; undefined if any will do. A weak tag matches nothing (RFC 9110, 13.1.1). */
export function demandedRevisions(ifMatch: string | undefined): readonly string[] | undefined {
  if (ifMatch === undefined || ifMatch.trim() === '*') return undefined;
  return ifMatch.split(',').flatMap((tag) => /^\s*"([^"]*)"\s*$/.exec(tag)?.[1] ?? []);
}
