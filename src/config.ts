// Owns the configuration: the environment read once, judged whole, every problem named and no value shown.

import { readFileSync } from 'node:fs';
import { Compile } from 'typebox/compile';
import { Settings as TypeBoxSettings } from 'typebox/system';
import { judgeRest, judgeSecrets, listOf, type Report, redisTarget } from './config-rules.ts';
import { SECRET_SETTINGS, type Settings, settingsSchema } from './config-schema.ts';
import type { LifetimePolicy } from './sessions/rotation.ts';
import type { RedisTarget } from './stores/redis/connect.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Config {
  readonly settings: Settings;
  readonly production: boolean;
  /** Undefined: the memory store. */
  readonly redis: RedisTarget | undefined;
  /** Empty only on the memory store: then one is to be generated. */
  readonly secrets: readonly string[];
  readonly trustProxy: readonly string[];
  readonly docs: boolean;
  readonly policy: LifetimePolicy;
}

export interface ConfigProblem {
  readonly name: string;
  readonly problem: string;
}

/** Every wrong setting of the environment. Its text names settings, never values. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(({ name, problem }) => `${name}: ${problem}`).join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

const validator = Compile(settingsSchema);
// TypeBox stops after 8 errors by itself; every wrong setting is to be named.
TypeBoxSettings.Set({ maxErrors: 64 });

/** The text of a setting from the environment or from the file it names; an empty one counts as absent. */
function readText(env: Environment, name: string, problems: ConfigProblem[]): string | undefined {
  const direct = env[name] || undefined;
  const file = SECRET_SETTINGS.some((secret) => secret === name) ? env[`${name}_FILE`] : undefined;
  if (!file) return direct;
  if (direct !== undefined) {
    problems.push({ name: `${name}_FILE`, problem: `cannot be set together with ${name}` });
    return direct;
  }
  try {
    const content = readFileSync(file, 'utf8').trim();
    if (content === '') problems.push({ name: `${name}_FILE`, problem: 'names an empty file' });
    return content || undefined;
  } catch {
    problems.push({ name: `${name}_FILE`, problem: 'names a file that cannot be read' });
    return undefined;
  }
}

/** Text as the type its schema asks for; left as it is where it does not fit, for the validator to refuse. */
function fromText(text: string, type: string): unknown {
  if (type === 'integer' && /^-?\d{1,15}$/.test(text)) return Number(text);
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

interface SettingSchema {
  readonly type: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
}

function expectation({ type, enum: values, minimum, maximum }: SettingSchema): string {
  if (values) return `must be one of ${values.join(', ')}`;
  if (type === 'integer') return `must be an integer from ${minimum} to ${maximum}`;
  return type === 'boolean' ? 'must be true or false' : 'must be text';
}

function readSettings(env: Environment, problems: ConfigProblem[]): Settings {
  const schemas = settingsSchema.properties as unknown as Record<string, SettingSchema>;
  const settings: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(schemas)) {
    const given = readText(env, name, problems);
    const value = given === undefined ? schema.default : fromText(given, schema.type);
    if (value !== undefined) settings[name] = value;
  }
  for (const name of new Set(validator.Errors(settings).map((e) => e.instancePath.slice(1)))) {
    const schema = schemas[name];
    if (schema === undefined) continue;
    problems.push({ name, problem: expectation(schema) });
    // The rules below then judge a valid stand-in, and say nothing more of it.
    settings[name] = schema.default;
  }
  return settings as Settings;
}

/** Reads and judges the whole environment. Throws ConfigError with every problem at once. */
export function loadConfig(env: Environment): Config {
  const problems: ConfigProblem[] = [];
  const report: Report = (name, problem) => {
    // A file that gives nothing was named already.
    if (!problems.some((each) => each.name === `${name}_FILE`)) problems.push({ name, problem });
  };
  const settings = readSettings(env, problems);
  const production = settings.NODE_ENV === 'production';
  const redis = redisTarget(settings, report);
  judgeSecrets(settings, redis !== undefined, production, report);
  judgeRest(settings, redis !== undefined, production, report);
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    settings,
    production,
    redis,
    secrets: listOf(settings.SECRET),
    trustProxy: listOf(settings.TRUST_PROXY),
    docs: settings.DOCS ?? !production,
    policy: {
      tokenTtlSeconds: settings.TOKEN_TTL_SECONDS,
      idleTtlSeconds: settings.IDLE_TTL_SECONDS,
      absoluteTtlSeconds: settings.ABSOLUTE_TTL_SECONDS,
      refreshRetrySeconds: settings.REFRESH_RETRY_SECONDS,
    },
  };
}

/** `loadConfig` on this process's environment. */
export const loadProcessConfig = (): Config => loadConfig(process.env);
