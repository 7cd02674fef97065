// Owns what a class of bad input is: a name, where it applies, and how it makes a request out of a valid one.

import type { Base } from './bases.ts';
import type { Fixtures } from './fixtures.ts';
import type { Random } from './random.ts';
import type { Draft } from './request.ts';

export interface Tools {
  readonly random: Random;
  readonly fixtures: Fixtures;
}

export interface Mutation {
  readonly draft: Draft;
  /** What must come of it; `any` if the contract leaves it open. */
  readonly expects: 'refusal' | 'acceptance' | 'any';
  /** Whether it may reach another route than that of its base, so that only the closed list of codes binds the answer. */
  readonly anyRoute?: boolean;
}

export interface FuzzClass {
  readonly name: string;
  /** Whether any of its requests may be accepted; if not they are sent apart from those. */
  readonly mixed: boolean;
  applies(base: Base): boolean;
  mutate(base: Base, tools: Tools): Mutation;
}

export const hasBody = ({ body }: Base): boolean => body !== undefined;
export const always = (): boolean => true;
