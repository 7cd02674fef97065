// Owns adding up the numbers of users, and which day of the week a day is.

import type { Activity } from '../sessions/user-store.ts';

export const NO_ACTIVITY: Activity = {
  activeUsers: 0,
  inactiveUsers: 0,
  expiredUsers: 0,
  newUsersToday: 0,
  newUsersThisWeek: 0,
  totalSessions: 0,
  activeSessions: 0,
};

export const DAY_MS = 24 * 3600 * 1000;

export const dayOf = (ms: number): number => Math.floor(ms / DAY_MS);

/** 0 for Monday to 6 for Sunday. `day`: days since the epoch, which was a Thursday. */
export const weekdayOf = (day: number): number => (day + 3) % 7;

export const addActivities = (all: readonly Activity[]): Activity =>
  all.reduce(
    (sum, each) => ({
      activeUsers: sum.activeUsers + each.activeUsers,
      inactiveUsers: sum.inactiveUsers + each.inactiveUsers,
      expiredUsers: sum.expiredUsers + each.expiredUsers,
      newUsersToday: sum.newUsersToday + each.newUsersToday,
      newUsersThisWeek: sum.newUsersThisWeek + each.newUsersThisWeek,
      totalSessions: sum.totalSessions + each.totalSessions,
      activeSessions: sum.activeSessions + each.activeSessions,
    }),
    NO_ACTIVITY,
  );
