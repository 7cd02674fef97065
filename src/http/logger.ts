// Owns the log: one JSON line an event, with every place redacted where a secret could ever stand.

import { type DestinationStream, type Logger, pino } from 'pino';

/** The second guard only: nothing hands these to the log in the first place. Few and without wildcards, for each costs every line. */
const SECRET_PATHS = [
  'token',
  'refreshToken',
  'details',
  'body',
  'headers',
  'req.headers',
  // An error of ioredis carries its command and the arguments.
  'err.command',
  'err.args',
];

export function createLogger(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    redact: { paths: SECRET_PATHS, remove: true },
    base: null,
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  return destination ? pino(options, destination) : pino(options);
}
