import { describe, expect, it } from "vitest";
import { admit, type Tenant } from "../../../src/core/host/admission.js";
import fc from "../../property.js";

const tenant = (changes: Partial<Tenant> = {}): Tenant => ({
  memory: 10,
  busy: false,
  pinned: false,
  leaving: false,
  lastUsed: 0,
  ...changes,
});

const tenants = fc.array(
  fc.record({
    memory: fc.nat(50),
    busy: fc.boolean(),
    pinned: fc.boolean(),
    leaving: fc.boolean(),
    lastUsed: fc.nat(1000),
  }),
  { maxLength: 8 },
);
const asked = fc.record({
  need: fc.integer({ min: 1, max: 120 }),
  tenants,
  budget: fc.integer({ min: 1, max: 150 }),
});
const total = (some: readonly Tenant[]) => some.reduce((sum, { memory }) => sum + memory, 0);

describe("room for a model", () => {
  it("is there while the budget has it", () => {
    expect(admit(10, [tenant(), tenant()], 30)).toEqual({ kind: "admit", victims: [] });
  });

  it("is made by the idle model that was used longest ago", () => {
    const [old, young] = [tenant({ lastUsed: 1 }), tenant({ lastUsed: 2 })];
    expect(admit(10, [young, old], 20)).toEqual({ kind: "admit", victims: [old] });
  });

  it("takes no small ones where a large one is enough", () => {
    const [small, large] = [tenant({ memory: 2, lastUsed: 1 }), tenant({ memory: 20, lastUsed: 2 })];
    expect(admit(20, [small, large], 25)).toEqual({ kind: "admit", victims: [large] });
  });

  it("is waited for while models are in use, and refused where it will never be", () => {
    expect(admit(10, [tenant({ busy: true })], 15)).toEqual({ kind: "wait" });
    expect(admit(10, [tenant({ leaving: true })], 15)).toEqual({ kind: "wait" });
    expect(admit(20, [], 15)).toEqual({ kind: "refuse", why: "budget" });
    expect(admit(10, [tenant({ pinned: true })], 15)).toEqual({ kind: "refuse", why: "pinned" });
  });

  it("never costs a model that is in use, pinned or leaving, nor more models than it takes", () => {
    fc.assert(
      fc.property(asked, ({ need, tenants, budget }) => {
        const decision = admit(need, tenants, budget);
        if (decision.kind !== "admit") return;
        const { victims } = decision;
        expect(victims.filter(({ busy, pinned, leaving }) => busy || pinned || leaving)).toEqual([]);
        expect(new Set(victims).size).toBe(victims.length);
        const left = budget - need - total(tenants.filter((one) => !victims.includes(one)));
        expect(left).toBeGreaterThanOrEqual(0);
        for (const victim of victims) expect(left - victim.memory).toBeLessThan(0);
      }),
    );
  });

  it("is found whenever evicting everything that is idle would do", () => {
    fc.assert(
      fc.property(asked, ({ need, tenants, budget }) => {
        const staying = tenants.filter(({ busy, pinned, leaving }) => busy || pinned || leaving);
        const possible = need + total(staying) <= budget;
        expect(admit(need, tenants, budget).kind === "admit").toBe(possible);
      }),
    );
  });

  it("is refused only when waiting can't help", () => {
    fc.assert(
      fc.property(asked, ({ need, tenants, budget }) => {
        const staying = tenants.filter(({ pinned, leaving }) => pinned && !leaving);
        const hopeless = need + total(staying) > budget;
        expect(admit(need, tenants, budget).kind === "refuse").toBe(hopeless);
      }),
    );
  });
});
