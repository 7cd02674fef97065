// Owns what is sent to a server under measurement: starts, refreshes, verifications.

import { call, type Script, startBody } from './load.ts';
import type { Server } from './server.ts';

/** Makes the script for one run against a server. */
export type ScriptFor = (server: Server) => Promise<Script>;

const HELD = 64;
let userNumber = 0;

/** Every request starts a session, `perUser` of them for each user. */
export const starting =
  (perUser = 1): ScriptFor =>
  async () => ({
    path: '/sessions',
    next: () => startBody(`user_${Math.floor(userNumber++ / perUser)}`),
  });

/** Every request rotates: each connection presents the refresh token of its last answer. */
export const refreshing: ScriptFor = async (server) => {
  const first = await Promise.all(
    Array.from({ length: HELD }, (_, i) => call(server, '/sessions', startBody(`refresh_${i}`))),
  );
  const held = first.map(({ refreshToken = '' }) => refreshToken);
  return {
    path: '/sessions/refresh',
    next(connection, answer) {
      if (answer !== undefined)
        held[connection] = (JSON.parse(answer) as { refreshToken: string }).refreshToken;
      return JSON.stringify({ refreshToken: held[connection] });
    },
  };
};

/** Every request asks about the same good token. */
export const verifying: ScriptFor = async (server) => {
  const { token } = await call(server, '/sessions', startBody('verify'));
  return { path: '/sessions/verify', next: () => JSON.stringify({ token }) };
};
