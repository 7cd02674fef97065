// Owns what may happen to a write on its way to a store, as it happens with Redis: it is executed twice, or its reply is lost.

import { setImmediate as turn } from 'node:timers/promises';
import { Outage } from '../../src/sessions/errors.ts';

/** `at`: the first, second, third write of whatever is done under this weather. */
export interface Mishap {
  readonly kind: 'twice' | 'lost';
  readonly at: number;
}

export interface Weather {
  /** The store's operations, of which these are writes. A background write, which nobody waits for, is best left out. */
  cover<Port extends object>(
    port: Port,
    isWrite: (name: string, args: readonly unknown[]) => boolean,
  ): Port;
  /** From here on writes are counted anew. */
  set(mishap: Mishap | undefined): void;
  /** What happened since. */
  readonly happened: Mishap['kind'] | undefined;
  /** Waits until nothing is under way, in the background neither. */
  settle(): Promise<void>;
}

type Operation = (...args: unknown[]) => unknown;

export function createWeather(): Weather {
  let mishap: Mishap | undefined;
  let happened: Mishap['kind'] | undefined;
  let writes = 0;
  let underWay = 0;

  async function write(operation: () => Promise<unknown>): Promise<unknown> {
    writes++;
    if (mishap?.at !== writes) return operation();
    const { kind } = mishap;
    happened = kind;
    const reply = await operation();
    // The same call once more, as ioredis sends it after a lost reply: the second reply is the one that arrives.
    if (kind === 'twice') return operation();
    if (kind === 'lost') throw new Outage('the reply was lost');
    return reply;
  }

  return {
    cover: (port, isWrite) =>
      new Proxy(port, {
        get(target, name) {
          const member: unknown = Reflect.get(target, name);
          if (typeof member !== 'function') return member;
          return (...args: unknown[]) => {
            const operation = () => (member as Operation)(...args);
            const answer = isWrite(String(name), args)
              ? write(operation as () => Promise<unknown>)
              : operation();
            if (!(answer instanceof Promise)) return answer;
            underWay++;
            return answer.finally(() => {
              underWay--;
            });
          };
        },
      }),
    set(next) {
      mishap = next;
      happened = undefined;
      writes = 0;
    },
    get happened() {
      return happened;
    },
    async settle() {
      // What follows on an answer begins in the same turn of the loop.
      for (let quiet = 0; quiet < 2; quiet++) {
        await turn();
        if (underWay > 0) quiet = -1;
      }
    },
  };
}
