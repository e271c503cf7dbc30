import { describe, expect, it } from "vitest";
import { LoadProgress } from "../../src/server/load-progress.js";

function load() {
  let now = 1000;
  const progress = new LoadProgress(() => now);
  return {
    progress,
    wait: (ms: number) => {
      now += ms;
    },
    hear: (done: number, total?: number, what = "model.safetensors") =>
      progress.hear({ type: "progress", phase: "download", what, done, total, unit: "bytes" }),
  };
}

describe("the time that a load still takes", () => {
  it("is as long as it has taken, where nothing better is known", () => {
    const { progress, wait, hear } = load();
    expect(progress.secondsLeft).toBe(0.25);
    wait(2000);
    expect(progress.secondsLeft).toBe(2);
    hear(0, 100);
    expect(progress.secondsLeft).toBe(2);
    wait(3000);
    hear(50);
    expect(progress.secondsLeft).toBe(5);
  });

  it("is what the pace until now says", () => {
    const { progress, wait, hear } = load();
    wait(5000);
    hear(100, 1000);
    wait(1000);
    hear(300, 1000);
    expect(progress.secondsLeft).toBe(3.5);
    wait(500);
    expect(progress.secondsLeft).toBe(3);
    // Another file has a pace of its own.
    hear(0, 10, "tokenizer.json");
    expect(progress.secondsLeft).toBe(6.5);
    wait(1000);
    hear(5, 10, "tokenizer.json");
    expect(progress.secondsLeft).toBe(1);
  });

  it("is a minute at most, which is as long as clients wait, and never nothing", () => {
    const { progress, wait, hear } = load();
    hear(0, 1e9);
    wait(1000);
    hear(1, 1e9);
    expect(progress.secondsLeft).toBe(60);
    hear(1e9, 1e9);
    expect(progress.secondsLeft).toBe(0.25);
  });
});
