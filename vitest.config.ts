import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 90_000,
    hookTimeout: 120_000,
    // Two cores: more workers than that only slow down the real Redis servers beside them.
    maxWorkers: 2,
    coverage: {
      provider: 'v8',
      include: ['src/**'],
      reporter: ['json-summary', 'html'],
      // main.ts and start-up.ts run in processes of their own, where this coverage does not see them.
      exclude: ['src/main.ts'],
      thresholds: { 'src/sessions/**': { branches: 100, functions: 100 } },
    },
  },
});
