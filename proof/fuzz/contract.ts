// Owns reading the OpenAPI document: operations, their parameters, bodies, allowed statuses, and who may call them.

export type Json = Readonly<Record<string, unknown>>;

export interface Schema {
  readonly type?: string;
  readonly pattern?: string;
  readonly enum?: readonly unknown[];
  readonly examples?: readonly unknown[];
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: unknown;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly items?: Schema;
}

export interface Parameter {
  readonly in: 'path' | 'query' | 'header' | 'cookie';
  readonly name: string;
  readonly required?: boolean;
  readonly example?: unknown;
  readonly schema: Schema;
}

export interface Operation {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly body?: Schema;
  /** In which its body may be written. */
  readonly mediaTypes: ReadonlySet<string>;
  readonly statuses: ReadonlySet<number>;
  readonly needsKey: boolean;
}

interface RawOperation {
  readonly operationId?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { schema: Schema }>> };
  readonly responses: Json;
  readonly security?: readonly unknown[];
}

export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, RawOperation>>>>;
  readonly security?: readonly unknown[];
}

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function readOperations({ paths, security: everywhere = [] }: Document): Operation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, raw]): Operation => {
      const body = raw.requestBody?.content['application/json']?.schema;
      if (raw.requestBody && !body) throw new Error(`${method} ${path}: no JSON body is described`);
      return {
        id: raw.operationId ?? `${method} ${path}`,
        method: method.toUpperCase(),
        path,
        parameters: raw.parameters ?? [],
        ...(body ? { body } : {}),
        mediaTypes: new Set(Object.keys(raw.requestBody?.content ?? {})),
        statuses: new Set(Object.keys(raw.responses).map(Number)),
        needsKey: (raw.security ?? everywhere).length > 0,
      };
    }),
  );
}
