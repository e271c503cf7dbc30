import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/build.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Each file in its own process: the native runtime lives once per process and a crash must cost one file.
    pool: "forks",
    // The default leaves a core for watching: half of the machine, on two.
    maxWorkers: "100%",
  },
});
