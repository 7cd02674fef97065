// Owns what an operator does while people live: a type and a key of their own, made, read, changed and removed, round after round.

import type { Answered, Client, Question } from './client.ts';

/** A life of its own, of even number: it has the root key. */
const OPERATOR = 1_000_000;
const PAUSE_MS = 50;

/** Good with whatever lives a scenario sets. */
const TYPE = { claims: ['mark'], maxSessionsPerUser: 5 };
const KEY = { name: 'operator', permissions: ['verify'], product: 'my-app' };

type Call = Pick<Question, 'path' | 'method'> & { readonly body?: unknown };

const onType = (method: string, path = '', body?: unknown): Call => ({
  path: `/session-types/my-app/operated${path}`,
  method,
  body,
});
const ROUND_OF_TYPE: readonly Call[] = [
  onType('PUT', '', TYPE),
  onType('GET'),
  { path: '/session-types/my-app', method: 'GET' },
  onType('POST', '/check', { env: 'prd', sample: 20, type: TYPE }),
  { path: '/users/my-app/prd/nobody', method: 'DELETE' },
  onType('DELETE'),
];
const roundOfKey = (id: string): readonly Call[] => [
  { path: `/api-keys/${id}`, method: 'GET' },
  { path: `/api-keys/${id}/rotate`, method: 'POST', body: { overlapSeconds: 1 } },
  { path: '/api-keys', method: 'GET' },
  { path: `/api-keys/${id}`, method: 'DELETE' },
];

/** Operates until told to stop; what must be removed is. Every answer is judged: what was made and acknowledged is there until it is removed. */
export function operate(client: Client): () => Promise<void> {
  let goesOn = true;
  let turn = 0;
  const ask = (call: Call): Promise<Answered> =>
    client.ask({ kind: 'numbers', life: OPERATOR, instance: turn++ % 2, ...call });

  /** In order; after one that was not answered nobody knows what is there, and only the last, the removal, is still asked for. */
  async function round(calls: readonly Call[]): Promise<void> {
    for (const [i, call] of calls.entries()) {
      const { operation } = await ask(call);
      if (operation.result !== 'ok' && i < calls.length - 1)
        return void (await ask(calls.at(-1) as Call));
    }
  }
  async function live(): Promise<void> {
    while (goesOn) {
      await round(ROUND_OF_TYPE);
      const { id } = await ask({ path: '/api-keys', method: 'POST', body: KEY });
      if (id !== undefined) await round(roundOfKey(id));
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
  const underWay = live();
  return async () => {
    goesOn = false;
    await underWay;
  };
}
