FROM node:24-bookworm-slim AS manifest
WORKDIR /app
COPY package.json package-lock.json ./

FROM manifest AS production-dependencies
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM manifest AS build
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build
COPY docs/errors.md docs/
# A checkout under a strict umask is readable by its owner only; in the image that would be root.
RUN chmod -R a+rX package.json docs

FROM node:24-bookworm-slim
# One pool thread, as in the `start` script: small signing jobs suffer from thread hops.
ENV NODE_ENV=production HOST=0.0.0.0 UV_THREADPOOL_SIZE=1
WORKDIR /app
# All of it belongs to root: the service can read itself, not change itself. In production it writes no file.
COPY --from=production-dependencies /app/node_modules node_modules
COPY --from=build /app/package.json ./
COPY --from=build /app/docs docs
COPY --from=build /app/dist dist
USER node
EXPOSE 3000
# Liveness, not readiness: what restarts unhealthy containers must not do so because Redis is away.
# The start may wait half a minute for Redis.
HEALTHCHECK --interval=10s --timeout=3s --start-period=40s --start-interval=1s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/livez`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Exec form: Node.js is process 1 and gets SIGTERM itself. `docker run IMAGE --check-config` judges the settings and exits.
ENTRYPOINT ["node", "dist/main.js"]
