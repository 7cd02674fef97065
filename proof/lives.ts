// Owns the people of a proof: each lives one session in a way of its own, some honest, some hasty, some thieves.

import type { Answered, Client, HeldPair, Question } from './client.ts';
import { userOf } from './client.ts';
import type { OperationKind } from './history.ts';

const PLACE = { product: 'my-app', env: 'prd', tag: 'user-session' };
/** Stands in the details of everybody, and may be written nowhere. */
export const DETAIL = 'canary-detail-of-the-lives';
/** What every third start is called begins so. */
export const START_KEY = 'canary-start-of-life';
const INSTANCES = 2;
/** Alive at once; each is asked to do something several times a second. */
const MOST_LIVES = 60;

/** What a life does next, drawn by weight. */
export type Habit =
  | 'verify'
  | 'refresh'
  | 'twoTabs'
  | 'retry'
  | 'read'
  | 'change'
  | 'readUser'
  | 'list'
  | 'numbers'
  | 'leave'
  | 'leaveEverywhere'
  | 'leaveInHaste'
  | 'stolen';
/** How often each is done. */
export const WEIGHTS: readonly (readonly [Habit, number])[] = [
  ['verify', 26],
  ['refresh', 30],
  ['twoTabs', 10],
  ['retry', 8],
  ['read', 6],
  ['change', 6],
  ['readUser', 4],
  ['list', 4],
  ['numbers', 3],
  ['leave', 3],
  ['leaveEverywhere', 2],
  ['leaveInHaste', 3],
  ['stolen', 3],
];

export interface Life {
  readonly number: number;
  /** The pairs it was given, newest first; one entry a generation. */
  pairs: HeldPair[];
  /** The newest refresh token was presented and no answer came: it may have been replaced. */
  uncertain: boolean;
  over: boolean;
}

export interface Lives {
  /** One step of one life that is not busy. Never rejects. */
  step(): Promise<void>;
  /** After healing: asks each life for what must hold of it. */
  examine(): Promise<void>;
  /** Erases all users, and with them all that is left. */
  clear(): Promise<void>;
}

/** A token in another spelling that jose by itself would read: the last character carries unused bits. */
export function respelled(token: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const last = alphabet.indexOf(token.at(-1) ?? 'A');
  return token.slice(0, -1) + alphabet[last ^ 1];
}

export function createLives(client: Client, random: () => number): Lives {
  const lives: Life[] = [];
  const idle: Life[] = [];
  let busy = 0;
  /** Two runs on one store do not share their keys. */
  const keyBase = Math.floor(random() * 2 ** 32);

  const anyInstance = (): number => Math.floor(random() * INSTANCES);
  const ask = (
    life: Life,
    kind: OperationKind,
    rest: Pick<Question, 'path'> & Partial<Question>,
  ): Promise<Answered> => client.ask({ kind, life: life.number, instance: anyInstance(), ...rest });

  const sessionPath = ({ sessionId }: HeldPair) =>
    `/sessions/${PLACE.product}/${PLACE.env}/${PLACE.tag}/${sessionId}`;
  const userPath = ({ number }: Life) => `/users/${PLACE.product}/${PLACE.env}/${userOf(number)}`;
  const verify = (life: Life, presented: HeldPair, rest: Partial<Question> = {}) =>
    ask(life, 'verify', {
      path: '/sessions/verify',
      body: { token: presented.token },
      presented,
      ...rest,
    });

  async function refresh(life: Life, presented: HeldPair, rest: Partial<Question> = {}) {
    const { refreshToken } = presented;
    const answer = await ask(life, 'refresh', {
      path: '/sessions/refresh',
      body: { refreshToken },
      presented,
      ...rest,
    });
    const { pair, operation } = answer;
    if (pair === undefined) life.uncertain = true;
    else if (!life.pairs.some(({ jti }) => jti === pair.jti)) {
      life.pairs = [pair, ...life.pairs];
      life.uncertain = false;
    }
    if (operation.result === 'refused') life.over = true;
    return answer;
  }

  const revoke = (life: Life, presented: HeldPair) => {
    const ways: readonly (Pick<Question, 'path'> & Partial<Question>)[] = [
      { path: '/sessions/revoke', body: { token: presented.token } },
      { path: '/sessions/revoke', body: { refreshToken: presented.refreshToken } },
      { path: sessionPath(presented), method: 'DELETE' },
    ];
    const way = ways[Math.floor(random() * ways.length)];
    return ask(life, 'revoke', { path: '/', ...way, presented });
  };

  const start = (life: Life, rest: Partial<Question> = {}): Promise<Answered> =>
    ask(life, 'start', {
      path: '/sessions',
      body: {
        ...PLACE,
        data: { userId: userOf(life.number), details: { mark: life.number, note: DETAIL } },
        // No more to be written down than details are.
        ...(life.number % 2 === 0 ? { client: { device: DETAIL } } : {}),
      },
      ...rest,
    });

  /** Under an idempotency key: at both instances at once, and once more if neither answered. */
  async function startOnce(life: Life): Promise<Answered> {
    const headers = { 'idempotency-key': `${START_KEY}-${life.number}-${keyBase}` };
    const both = await Promise.all([0, 1].map((instance) => start(life, { instance, headers })));
    return both.find(({ pair }) => pair !== undefined) ?? start(life, { headers });
  }

  async function begin(life: Life): Promise<void> {
    const { pair } = await (life.number % 3 === 0 ? startOnce(life) : start(life));
    // Without an answer only the store knows whether there is a session; nobody will come for it.
    if (pair === undefined) life.over = true;
    else life.pairs = [pair];
  }

  const habits: Readonly<Record<Habit, (life: Life, newest: HeldPair) => Promise<unknown>>> = {
    verify,
    refresh,
    twoTabs: (life, newest) =>
      Promise.all([0, 1].map((instance) => refresh(life, newest, { instance }))),
    // A lost answer: the token that was replaced a moment ago, once more.
    retry: (life, newest) => refresh(life, life.uncertain ? newest : (life.pairs[1] ?? newest)),
    read: (life, newest) =>
      ask(life, 'read', { path: sessionPath(newest), method: 'GET', presented: newest }),
    change: (life, newest) =>
      ask(life, 'change', {
        path: sessionPath(newest),
        method: 'PATCH',
        body: { data: { details: { changed: Math.floor(random() * 1000) } } },
        presented: newest,
      }),
    readUser: (life) => ask(life, 'user', { path: userPath(life), method: 'GET' }),
    list: (life, newest) =>
      ask(life, 'list', {
        path: `/sessions/${PLACE.product}/${PLACE.env}/${PLACE.tag}?userId=${userOf(life.number)}`,
        method: 'GET',
        presented: newest,
      }),
    numbers: (life) =>
      ask(life, 'numbers', {
        path: `/${['users', 'stats'][life.number % 2]}/${PLACE.product}/${PLACE.env}?tag=${PLACE.tag}`,
        method: 'GET',
      }),
    leaveEverywhere: async (life, newest) => {
      life.over = true;
      const path = `${userPath(life)}/sessions`;
      await ask(life, 'revoke', { path, method: 'DELETE', presented: newest });
    },
    leave: async (life, newest) => {
      life.over = true;
      await revoke(life, newest);
    },
    leaveInHaste: async (life, newest) => {
      life.over = true;
      await Promise.all([
        refresh(life, newest),
        revoke(life, newest),
        verify(life, newest),
        habits.change(life, newest),
      ]);
      await verify(life, newest);
    },
    stolen: async (life, newest) => {
      const old = life.pairs[2];
      if (old === undefined) return refresh(life, newest);
      life.over = true;
      return refresh(life, old);
    },
  };

  function habit(): Habit {
    let left = random() * WEIGHTS.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of WEIGHTS) {
      left -= weight;
      if (left < 0) return name;
    }
    return 'verify';
  }

  function next(): Life {
    const waiting = busy + idle.length >= MOST_LIVES ? idle.shift() : undefined;
    if (waiting !== undefined) return waiting;
    const life = { number: lives.length + 1, pairs: [], uncertain: false, over: false };
    lives.push(life);
    return life;
  }

  async function examineOne(life: Life): Promise<void> {
    const [newest] = life.pairs;
    if (newest === undefined) return;
    for (const instance of [0, 1]) {
      await verify(life, newest, { instance });
      // A dead session stays dead in any spelling of its token; a living one's would rightly be called invalid.
      if (life.over) {
        await verify(life, newest, {
          instance,
          body: { token: respelled(newest.token) },
          respelled: true,
        });
      }
    }
    await refresh(life, newest, { instance: 0 });
    await verify(life, life.pairs[0] ?? newest, { instance: 1 });
  }

  const each = async (all: readonly Life[], work: (life: Life) => Promise<unknown>) => {
    // One iterator for all: to shift 100,000 lives off an array takes seconds, in which the network of the proof stands still as well.
    const queue = all.values();
    await Promise.all(
      Array.from({ length: 16 }, async () => {
        for (const life of queue) await work(life);
      }),
    );
  };

  return {
    async step() {
      const life = next();
      busy++;
      const [newest] = life.pairs;
      await (newest === undefined ? begin(life) : habits[habit()](life, newest));
      busy--;
      if (!life.over) idle.push(life);
    },
    examine: () => each(lives, examineOne),
    clear: () =>
      each(lives, (life) => ask(life, 'revoke', { path: userPath(life), method: 'DELETE' })),
  };
}
