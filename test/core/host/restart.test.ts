import { describe, expect, it } from "vitest";
import { CRASH_LIMIT, restartAfter } from "../../../src/core/host/restart.js";
import fc from "../../property.js";

const record = fc.record({ count: fc.nat(60), lastAt: fc.nat(1e9) });

describe("a host that crashed", () => {
  it("starts at once the first time, then after pauses that double", () => {
    expect(restartAfter({ count: 0, lastAt: 0 }, 500)).toEqual({ kind: "start", at: 500 });
    expect(restartAfter({ count: 1, lastAt: 500 }, 500)).toEqual({ kind: "start", at: 700 });
    expect(restartAfter({ count: 2, lastAt: 500 }, 500)).toEqual({ kind: "start", at: 900 });
    expect(restartAfter({ count: 2, lastAt: 500 }, 5000)).toEqual({ kind: "start", at: 5000 });
  });

  it("is refused after too many, and tried once more when the refusal is over", () => {
    const crashes = { count: CRASH_LIMIT, lastAt: 1000 };
    expect(restartAfter(crashes, 1000)).toEqual({ kind: "refuse", until: 31_000 });
    expect(restartAfter(crashes, 31_000)).toEqual({ kind: "start", at: 31_000 });
    expect(restartAfter({ count: CRASH_LIMIT + 1, lastAt: 31_000 }, 31_000)).toEqual({
      kind: "refuse",
      until: 91_000,
    });
  });

  it("never starts in the past, is never refused for ever, and waits longer the more it crashes", () => {
    fc.assert(
      fc.property(record, fc.nat(1e6), (crashes, later) => {
        const now = crashes.lastAt + later;
        const decision = restartAfter(crashes, now);
        const next = decision.kind === "start" ? decision.at : decision.until;
        expect(next).toBeGreaterThanOrEqual(now);
        expect(next - now).toBeLessThanOrEqual(600_000);
        const worse = restartAfter({ ...crashes, count: crashes.count + 1 }, now);
        expect(worse.kind === "start" ? worse.at : worse.until).toBeGreaterThanOrEqual(next);
        if (decision.kind === "refuse") expect(restartAfter(crashes, decision.until).kind).toBe("start");
      }),
    );
  });
});
