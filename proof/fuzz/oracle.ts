// Owns the judgement of one answer: what is wrong with it, whatever the request was.

import {
  PROBLEM_CODES,
  PROBLEM_KINDS,
  PROBLEM_MEDIA_TYPE,
  type ProblemCode,
} from '../../src/http/problem.ts';
import { isObject, type Operation } from './contract.ts';
import type { Mutation } from './fuzz-class.ts';
import type { Answer } from './wire.ts';

export interface Judged {
  /** Undefined if the request may have reached any route. */
  readonly operation?: Operation | undefined;
  readonly mutation: Pick<Mutation, 'draft' | 'expects'>;
}

/** Statuses that HTTP itself gives, whatever the route: no HTTP, too slow, too long an address or header, no such expectation. */
const OF_HTTP = [400, 408, 414, 417, 431];
const OF_ANY_ROUTE = new Set([
  200,
  201,
  204,
  ...PROBLEM_CODES.map((code) => PROBLEM_KINDS[code].status),
]);

const isAccepted = ({ status }: Answer): boolean => status >= 200 && status < 300;

function readJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** Whether the service said no: with a problem, or with a verdict. */
export function isRefusal(answer: Answer): boolean {
  if (!isAccepted(answer)) return true;
  const verdict = readJson(answer.body);
  return isObject(verdict) && verdict['valid'] === false;
}

function allowedStatuses({ operation, mutation: { draft } }: Judged): ReadonlySet<number> {
  if (operation === undefined) return OF_ANY_ROUTE;
  const sends = draft.headers.some(([name]) => /^content-(type|encoding)$/i.test(name));
  return new Set([...operation.statuses, ...OF_HTTP, ...(sends ? [413, 415] : [])]);
}

function problemFaults({ status, headers, body }: Answer): string[] {
  const type = headers.get('content-type') ?? '';
  if (type.split(';')[0] !== PROBLEM_MEDIA_TYPE) {
    return [`${status} is not ${PROBLEM_MEDIA_TYPE} but ${JSON.stringify(type.slice(0, 60))}`];
  }
  const problem = readJson(body);
  if (!isObject(problem)) return [`${status} has a body that is no problem document`];
  const code = problem['code'];
  if (!(PROBLEM_CODES as readonly unknown[]).includes(code)) {
    return [`the code ${JSON.stringify(code)} is not on the closed list`];
  }
  const wanted = PROBLEM_KINDS[code as ProblemCode].status;
  const faults: string[] = [];
  if (wanted !== status || problem['status'] !== status) {
    faults.push(`${status} carries ${String(code)}, which is ${wanted}`);
  }
  for (const member of ['type', 'title', 'detail']) {
    if (typeof problem[member] !== 'string') faults.push(`the problem has no ${member}`);
  }
  if (headers.get('cache-control') !== 'no-store') faults.push('a problem may be cached');
  return faults;
}

/** What is wrong with the answer; nothing if it is as the contract says. */
export function judge(judged: Judged, answer: Answer): string[] {
  const { status, body } = answer;
  const { draft, expects } = judged.mutation;
  if (status === 0) return [`no answer: ${body}`];
  const faults: string[] = [];
  if (status >= 500) faults.push(`the answer is ${status}`);
  if (!allowedStatuses(judged).has(status)) {
    faults.push(`the status ${status} is not among those of the route`);
  }
  if (!isAccepted(answer) && draft.method !== 'HEAD') faults.push(...problemFaults(answer));
  if (expects === 'refusal' && !isRefusal(answer)) faults.push(`accepted with ${status}`);
  if (expects === 'acceptance' && isRefusal(answer)) faults.push(`refused with ${status}`);
  return faults;
}

/** Members of what was sent that are not the same in what was read; for anything made by a POST and read at its Location. */
export function readBackFaults(sent: unknown, read: unknown): string[] {
  if (!isObject(sent) || !isObject(read)) return ['what was accepted cannot be read back'];
  return Object.entries(sent).flatMap(([name, value]) => {
    const back = read[name];
    // Members that were left out come back with their defaults.
    const inner = isObject(value) && isObject(back) ? pickMembers(back, Object.keys(value)) : back;
    return canonical(inner) === canonical(value)
      ? []
      : [`${name} does not come back as it was sent`];
  });
}

const pickMembers = (from: Readonly<Record<string, unknown>>, names: readonly string[]) =>
  Object.fromEntries(
    names.filter((name) => Object.hasOwn(from, name)).map((name) => [name, from[name]]),
  );

/** The same text for equal JSON values, whatever the order of members. Tells -0 from 0. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (isObject(value)) {
    const members = Object.keys(value).sort();
    return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`;
  }
  return Object.is(value, -0) ? '-0' : (JSON.stringify(value) ?? 'undefined');
}
