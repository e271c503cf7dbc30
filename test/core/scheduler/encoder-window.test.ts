import { describe, expect, it } from "vitest";
import { EncoderWindow } from "../../../src/core/scheduler/encoder-window.js";
import fc from "../../property.js";

const MAX_WAIT_MS = 2;

describe("a free encoder", () => {
  it("does not wait for a lone caller, however fast it asks again", () => {
    const window = new EncoderWindow(MAX_WAIT_MS);
    for (let now = 0; now < 20; now += 0.5) {
      window.arrived(now, 1);
      window.opened(now, 1);
      expect(window.remainingMs(now, 1)).toBe(0);
    }
  });

  it("does not wait for a caller who never shares its moment, though others come while it is busy", () => {
    const window = new EncoderWindow(MAX_WAIT_MS);
    for (let now = 0; now < 1000; now += 100) {
      window.arrived(now, 1);
      window.opened(now, 1);
      expect(window.remainingMs(now, 1)).toBe(0);
      window.arrived(now + 50, 2);
      window.opened(now + 80, 1);
      expect(window.remainingMs(now + 80, 1)).toBe(0);
    }
  });

  it("waits for callers that come back together, until as many are there as before", () => {
    const window = new EncoderWindow(MAX_WAIT_MS);
    // The first one back runs alone, and the others queue behind it.
    window.arrived(0, 1);
    window.opened(0, 1);
    expect(window.remainingMs(0, 1)).toBe(0);
    for (let caller = 2; caller <= 8; caller++) window.arrived(0.1 * caller, caller);
    // Seven wait when that run ends, and its caller is back soon.
    window.opened(10, 7);
    expect(window.remainingMs(10, 7)).toBe(2);
    expect(window.remainingMs(11.5, 7)).toBe(0.5);
    window.arrived(11.6, 8);
    expect(window.remainingMs(11.6, 8)).toBe(0);
    // From now on all eight are merged.
    for (let now = 100; now < 1000; now += 100) {
      window.arrived(now, 1);
      window.opened(now, 1);
      for (let caller = 2; caller <= 8; caller++) {
        expect(window.remainingMs(now + 0.1 * caller, caller - 1)).toBeGreaterThan(0);
        window.arrived(now + 0.1 * caller, caller);
      }
      expect(window.remainingMs(now + 0.8, 8)).toBe(0);
    }
  });

  it("gives up after two waits in vain", () => {
    const window = new EncoderWindow(MAX_WAIT_MS);
    for (let now = 0; now < 500; now += 100) {
      window.arrived(now, 1);
      window.opened(now, 1);
      window.arrived(now + 1, 2);
    }
    const waits = [500, 600, 700, 800].map((now) => {
      window.arrived(now, 1);
      window.opened(now, 1);
      return window.remainingMs(now, 1);
    });
    expect(waits.slice(2)).toEqual([0, 0]);
  });

  it("never waits longer than it may, and not at all when that is nothing", () => {
    const gaps = fc.array(fc.record({ gap: fc.double({ min: 0, max: 5, noNaN: true }), free: fc.boolean() }));
    fc.assert(
      fc.property(gaps, fc.constantFrom(0, 2), (events, maxWaitMs) => {
        const window = new EncoderWindow(maxWaitMs);
        let [now, callers, opened] = [0, 0, 0];
        for (const { gap, free } of events) {
          now += gap;
          if (free && callers > 0) {
            window.opened(now, callers);
            opened = now;
          } else window.arrived(now, ++callers);
          const wait = window.remainingMs(now, callers);
          expect(wait).toBeGreaterThanOrEqual(0);
          if (wait > 0) expect(now + wait).toBeCloseTo(opened + maxWaitMs, 6);
          if (free) callers = 0;
        }
      }),
    );
  });
});
