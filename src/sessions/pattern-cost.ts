// Owns the price of a pattern before anybody compiles it: counted repetition multiplies, and a class may need a table of all of Unicode.

/** Any escape, a whole class (its first `]` is a letter), opening and end of a group, a counted repetition, anything else. */
const TOKEN = /\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(|\)|\{(\d+)(?:,(\d*))?\}|./gsu;
const PROPERTY = /\\p/gi;

export interface PatternCost {
  /** Instructions, about: an atom is one, a repetition as many as it may repeat. */
  readonly size: number;
  /** Classes that take about a millisecond: by Unicode property, or of any kind where case does not count. */
  readonly tables: number;
}

interface Level {
  size: number;
  /** Of what a repetition that comes next would repeat. */
  last: number;
}

/** Letters beyond ASCII, written out or by number. */
const WIDE = /\P{ASCII}|\\[xu]/u;
/** A class over many letters whose case does not count is folded letter by letter. */
const FOLDED = 8;

/** Too low by half at most, for what may be absent takes two instructions. The pattern must not quote with `\Q`, which this does not read. */
export function patternCost(pattern: string): PatternCost {
  const ignoresCase = /\(\?[a-z]*i/i.test(pattern);
  const levels: Level[] = [{ size: 0, last: 0 }];
  const folded = WIDE.test(pattern) ? FOLDED : 1;
  let tables = pattern.match(PROPERTY)?.length ?? 0;
  const add = (size: number) => {
    const level = levels.at(-1) as Level;
    level.size += size;
    level.last = size;
  };
  for (const [token, least, most] of pattern.matchAll(TOKEN)) {
    if (token === '(') levels.push({ size: 1, last: 0 });
    else if (token === ')' && levels.length > 1) add((levels.pop() as Level).size);
    else if (least !== undefined) {
      const level = levels.at(-1) as Level;
      const times = Math.max(1, Number(least), Number(most || 0));
      level.size += level.last * (times - 1);
      level.last *= times;
    } else add(1);
    if (token.startsWith('[') && ignoresCase) tables += folded;
  }
  return { size: levels.reduce((sum, level) => sum + level.size, 0), tables };
}
