import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [process.env.MASKCAST_SLOW ? 'test/**/*.slow.ts' : 'test/**/*.test.ts'],
    // Real ffmpeg, brokers and inference workers share two cores: more files at once only makes waits longer.
    maxWorkers: 2,
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
