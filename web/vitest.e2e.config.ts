import { defineConfig } from 'vitest/config';

const report = process.env.LOQUAT_TEST_REPORT;

export default defineConfig({
  test: {
    include: ['e2e/**/*.test.ts'],
    // One browser and one server at a time: the machine that checks has two cores.
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 90_000,
    reporters: report ? ['verbose', ['json', { outputFile: report }]] : ['verbose'],
  },
});
