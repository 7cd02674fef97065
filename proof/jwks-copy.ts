// Owns a verifier's copy of the public keys: kept for exactly as long as its `max-age` allows, then asked for at any instance.

import { compactVerify, createLocalJWKSet, type JSONWebKeySet } from 'jose';

export interface JwksCopy {
  /** Whether a copy that is young enough verifies the token; undefined if no such copy can be had. */
  verifies(token: string): Promise<boolean | undefined>;
}

interface Copy {
  readonly keys: ReturnType<typeof createLocalJWKSet>;
  readonly goodUntilMs: number;
}

const PATIENCE_MS = 2000;

async function fetchCopy(port: number): Promise<Copy> {
  const askedMs = Date.now();
  const response = await fetch(`http://127.0.0.1:${port}/.well-known/jwks.json`, {
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const maxAge = /max-age=(\d+)/.exec(response.headers.get('cache-control') ?? '')?.[1];
  return {
    keys: createLocalJWKSet((await response.json()) as JSONWebKeySet),
    goodUntilMs: askedMs + Number(maxAge) * 1000,
  };
}

/** `ports`: of the service processes; read at each renewal. Rejects if the first copy cannot be had. */
export async function takeJwksCopy(
  ports: () => readonly number[],
  random: () => number,
): Promise<JwksCopy> {
  const any = () => ports()[Math.floor(random() * ports().length)] as number;
  let copy = await fetchCopy(any());
  let renewal: Promise<void> | undefined;
  const renew = async () => {
    const next = await fetchCopy(any()).catch(() => undefined);
    if (next !== undefined) copy = next;
    renewal = undefined;
  };
  return {
    async verifies(token) {
      // The token was made before: a copy that is young now was young then.
      if (Date.now() > copy.goodUntilMs) {
        renewal ??= renew();
        await renewal;
      }
      if (Date.now() > copy.goodUntilMs) return undefined;
      return compactVerify(token, copy.keys).then(
        () => true,
        () => false,
      );
    },
  };
}
