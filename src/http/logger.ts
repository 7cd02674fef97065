// Owns the log: one JSON line an event, with every place redacted where a secret could ever stand.

import { type DestinationStream, type Logger, pino } from 'pino';

const SECRET_MEMBERS = [
  'token',
  'refreshToken',
  'details',
  'data',
  'authorization',
  'headers',
  'secret',
  'seed',
  'body',
  'url',
  'apiKey',
  'command',
  'args',
];

export function createLogger(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    // The second guard only: nothing hands these to the log in the first place.
    redact: { paths: SECRET_MEMBERS.flatMap((name) => [name, `*.${name}`]), remove: true },
    base: null,
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  return destination ? pino(options, destination) : pino(options);
}
