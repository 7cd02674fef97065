// Owns the floor: Fastify with the same schema, one Redis write and the two jose operations, nothing else. For verify: one jose verification and one Redis read.

import { randomBytes, webcrypto } from 'node:crypto';
import Fastify from 'fastify';
import { Redis } from 'ioredis';
import { CompactEncrypt, CompactSign, compactVerify, generateKeyPair } from 'jose';
import { startBody, startedPair, verifyBody } from '../src/http/token-schemas.ts';

interface StartBody {
  readonly product: string;
  readonly env: string;
  readonly tag: string;
  readonly data: { readonly userId: string; readonly details: object };
}

const DETAILS_MAX_BYTES = 8192;

const { privateKey, publicKey } = await generateKeyPair('ES256');
const sealingKey = await webcrypto.subtle.importKey('raw', randomBytes(32), 'AES-GCM', false, [
  'encrypt',
]);
const redis = new Redis(process.env['REDIS_URL'] ?? '', {
  enableAutoPipelining: true,
  disableClientInfo: true,
});
redis.on('error', () => process.exit(1));

const startSchema = { body: startBody(DETAILS_MAX_BYTES), response: { 201: startedPair } };

const sign = (body: StartBody, sessionId: string, issuedAt: number) => {
  const { product, env, tag, data } = body;
  const claims = {
    iss: 'http://localhost:3000',
    aud: [`${product}/${env}`, `${product}/${env}/${tag}`],
    sub: data.userId,
    sid: sessionId,
    jti: sessionId.slice(0, 22),
    iat: issuedAt,
    exp: issuedAt + 900,
    client_id: 'root',
    product,
    env,
    tag,
  };
  return new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ alg: 'ES256', kid: 'k'.repeat(43), typ: 'at+jwt' })
    .sign(privateKey);
};

const seal = ({ product, env, tag }: StartBody, sessionId: string) =>
  new CompactEncrypt(Buffer.from(JSON.stringify([product, env, tag, sessionId, 0, 'p'.repeat(22)])))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: 'secretid.217' })
    .encrypt(sealingKey);

const app = Fastify({ logger: false });

app.post<{ Body: StartBody }>('/sessions', { schema: startSchema }, async (request, reply) => {
  const { body } = request;
  const sessionId = randomBytes(26).toString('base64url');
  const nowMs = Date.now();
  const record = JSON.stringify({ ...body.data, createdAt: nowMs, seed: 's'.repeat(43) });
  await redis.set(
    `session:${body.product}:${body.env}:${body.tag}:${sessionId}`,
    record,
    'PX',
    604_800_000,
  );
  const [token, refreshToken] = await Promise.all([
    sign(body, sessionId, Math.floor(nowMs / 1000)),
    seal(body, sessionId),
  ]);
  reply.code(201);
  return {
    token,
    refreshToken: `smr_${refreshToken}`,
    sessionId,
    expiresAt: new Date(nowMs + 900_000).toISOString(),
    refreshExpiresAt: new Date(nowMs + 604_800_000).toISOString(),
  };
});

app.post<{ Body: { token: string } }>(
  '/sessions/verify',
  { schema: { body: verifyBody } },
  async (request) => {
    const { payload } = await compactVerify(request.body.token, publicKey, {
      algorithms: ['ES256'],
    });
    const { product, env, tag, sid } = JSON.parse(Buffer.from(payload).toString()) as Record<
      string,
      string
    >;
    const record = await redis.get(`session:${product}:${env}:${tag}:${sid}`);
    return { valid: true, data: JSON.parse(record ?? '{}') };
  },
);

process.stdout.write(
  `${await app.listen({ port: Number(process.env['PORT'] ?? 0), host: '127.0.0.1' })}\n`,
);
