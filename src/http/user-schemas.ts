// Owns the shapes of users and of the numbers made of them.

import Type from 'typebox';
import { closed, env, nextCursor, paging, product, tag, time, userId } from './members.ts';
import { sessionView } from './session-schemas.ts';

export const userParams = Type.Object({ product, env, userId }, closed);

export const usersQuery = Type.Object({ tag: Type.Optional(tag), ...paging }, closed);
export const statsQuery = Type.Object({ tag: Type.Optional(tag) }, closed);
export const partParams = Type.Object({ product, env }, closed);

export const revokeUserQuery = Type.Object(
  {
    tag: Type.Optional(tag),
    except: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9_-]{1,64}$',
        description: 'Id of a session to leave alive: "log out my other devices".',
      }),
    ),
  },
  closed,
);

const userSummary = {
  userId,
  firstSeenAt: time('Its first start.'),
  lastSeenAt: time('Its last start or refresh.'),
  activeSessions: Type.Integer({ minimum: 0, description: 'Live sessions.' }),
};

export const userList = Type.Object({
  users: Type.Array(Type.Object(userSummary)),
  nextCursor,
});

export const userView = Type.Object({
  ...userSummary,
  totalSessions: Type.Integer({
    minimum: 0,
    description: 'Sessions started, ended ones included.',
  }),
  sessions: Type.Array(sessionView, { description: 'Its live sessions, newest first.' }),
  nextCursor,
});

const number = (description: string) => Type.Integer({ minimum: 0, description });

export const statsView = Type.Object({
  totalUsers: number('Users that are kept: active, inactive and expired ones.'),
  activeUsers: number('Users with a live session.'),
  inactiveUsers: number('Users without one whose last session was ended: revoked or evicted.'),
  expiredUsers: number('Users without one whose last session ran out.'),
  newUsersToday: number('Kept users first seen since 00:00 UTC.'),
  newUsersThisWeek: number('Kept users first seen since Monday, 00:00 UTC.'),
  totalSessions: number('Sessions that the kept users have started.'),
  activeSessions: number('Live sessions.'),
  averageSessionsPerUser: Type.Number({
    minimum: 0,
    description: '`totalSessions` divided by `totalUsers`; 0 without users.',
  }),
});

export const revokedCount = Type.Object({
  revoked: Type.Integer({ minimum: 0, description: 'How many sessions were ended.' }),
});
