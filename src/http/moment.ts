// Owns the reading of moments as RFC 3339 writes them: any offset, no day that the calendar does not have.

const RFC_3339 =
  /^(\d{4}-\d\d-\d\d)T((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(\.\d+)?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;
/** Beyond it a year has more than four digits. */
const LAST_MS = Date.UTC(10_000, 0, 1) - 1;

/** Milliseconds since the epoch, a fraction of one cut off; undefined for anything else. Leap seconds are not known. */
export function parseMoment(text: string): number | undefined {
  const [, date, time, fraction = '', offset] = RFC_3339.exec(text.toUpperCase()) ?? [];
  if (date === undefined) return undefined;
  // Date.parse takes the 30th of February for the 2nd of March.
  const day = new Date(`${date}T00:00:00Z`);
  if (Number.isNaN(day.getTime()) || day.toISOString().slice(0, 10) !== date) return undefined;
  const ms = Date.parse(`${date}T${time}${fraction.slice(0, 4)}${offset}`);
  return ms >= 0 && ms <= LAST_MS ? ms : undefined;
}
