import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    testTimeout: 90_000,
    hookTimeout: 120_000,
    // The broken variants run test files too, two at a time: they would share it.
    cache: false,
    projects: [
      {
        extends: true,
        test: {
          name: 'tests',
          include: ['test/**/*.test.ts'],
          exclude: ['test/proof/**'],
          // Two cores: more workers than that only slow down the real Redis servers beside them.
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'proof',
          include: ['test/proof/**/*.test.ts'],
          // Its fault runs judge how long answers take: nothing else may run beside them.
          maxWorkers: 1,
          maxConcurrency: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
    coverage: {
      provider: 'v8',
      include: ['src/**'],
      reporter: ['json-summary', 'html'],
      // main.ts runs in processes of its own, where this coverage does not see it.
      exclude: ['src/main.ts'],
      thresholds: { 'src/sessions/**': { branches: 100, functions: 100 } },
    },
  },
});
