import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { counted, openEnergyMeter, powerIntegral } from "../../../src/core/bench/energy.js";
import fc from "../../property.js";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "hfms-powercap-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A domain as Linux shows it (Documentation/power/powercap/powercap.rst). */
async function domain(zone: string, name: string, energy: number, range = 262_143_328_850): Promise<void> {
  await mkdir(path.join(folder, zone), { recursive: true });
  await writeFile(path.join(folder, zone, "name"), `${name}\n`);
  await writeFile(path.join(folder, zone, "max_energy_range_uj"), `${range}\n`);
  await count(zone, energy);
}

async function count(zone: string, energy: number): Promise<void> {
  await writeFile(path.join(folder, zone, "energy_uj"), `${energy}\n`);
}

describe("the processor's meters", () => {
  it("are added up over packages and their memory, cores and the other driver's view not again", async () => {
    await domain("intel-rapl:0", "package-0", 1_000_000);
    await domain("intel-rapl:0:0", "core", 5_000_000);
    await domain("intel-rapl:0:1", "dram", 200_000);
    await domain("intel-rapl:1", "package-1", 0);
    await domain("intel-rapl:2", "psys", 0);
    await domain("intel-rapl-mmio:0", "package-0", 1_000_000);
    const meter = await openEnergyMeter({ gpu: false, folder });
    await count("intel-rapl:0", 4_000_000);
    await count("intel-rapl:0:0", 9_000_000);
    await count("intel-rapl:0:1", 700_000);
    await count("intel-rapl:1", 2_000_000);
    await count("intel-rapl:2", 90_000_000);
    await count("intel-rapl-mmio:0", 4_000_000);
    expect(await meter.take()).toEqual({ processor: expect.closeTo(5.5, 9), gpu: undefined });
    expect(await meter.take()).toEqual({ processor: 0, gpu: undefined });
    expect(meter.missing).toEqual([]);
    meter.stop();
  });

  it("go on where the counter starts again", async () => {
    await domain("intel-rapl:0", "package-0", 9_500_000, 10_000_000);
    const meter = await openEnergyMeter({ gpu: false, folder });
    await count("intel-rapl:0", 500_000);
    expect(await meter.take()).toMatchObject({ processor: 1 });
    meter.stop();
  });

  it("that are not there give no number, and a reason", async () => {
    const meter = await openEnergyMeter({ gpu: false, folder: path.join(folder, "nowhere") });
    expect(await meter.take()).toEqual({});
    expect(meter.missing).toEqual([expect.stringMatching(/no energy: .*RAPL/)]);
    meter.stop();
  });

  it("that stop counting give no number any more", async () => {
    await domain("intel-rapl:0", "package-0", 1_000_000);
    const meter = await openEnergyMeter({ gpu: false, folder });
    await writeFile(path.join(folder, "intel-rapl:0", "energy_uj"), "");
    expect(await meter.take()).toEqual({});
    meter.stop();
  });

  it("count what was used, whenever the counter starts again", () => {
    const range = fc.integer({ min: 1000, max: 2 ** 40 });
    fc.assert(
      fc.property(
        range,
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (range, start, used) => {
          const before = Math.floor(start * range);
          const energy = Math.floor(used * range);
          expect(counted(before, (before + energy) % range, range)).toBe(energy);
        },
      ),
    );
  });
});

describe("the cards' power", () => {
  it("is summed over time, each card at what it last said", () => {
    const total = powerIntegral();
    expect(total.take(0)).toBeUndefined();
    expect(total.add("0, 100.00", 1000)).toBe(true);
    expect(total.add("1, 50.5", 1000)).toBe(true);
    expect(total.add("0, 200.00", 2000)).toBe(true);
    expect(total.take(3000)).toBeCloseTo(100 + 200 + 101, 9);
    expect(total.take(3500)).toBeCloseTo(125.25, 9);
  });

  /** The vendor's tool, saying what it says on a machine that has one. */
  async function withTool(lines: string): Promise<void> {
    const tool = path.join(folder, "nvidia-smi");
    await writeFile(tool, `#!/bin/sh\nprintf '${lines}'\nexec sleep 60\n`, { mode: 0o755 });
    const { PATH } = process.env;
    process.env.PATH = `${folder}:${PATH}`;
    onTestFinished(() => {
      process.env.PATH = PATH;
    });
  }

  it("is there from the start of the first run, and no process stays behind", async () => {
    await withTool("0, 68.42\\n1, 70.10\\n");
    const meter = await openEnergyMeter({ gpu: true, folder });
    expect((await meter.take()).gpu).toBeGreaterThanOrEqual(0);
    expect(meter.missing).toEqual([expect.stringMatching(/no energy: .*RAPL/)]);
    const [pid] = meter.pids;
    expect(() => process.kill(pid, 0)).not.toThrow();
    meter.stop();
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow());
  });

  it("is absent with a reason where the tool tells none, or is missing", async () => {
    const reason = "no energy of the GPUs: nvidia-smi tells no power here";
    await withTool("0, [N/A]\\n");
    const silent = await openEnergyMeter({ gpu: true, folder });
    expect(silent.missing).toContain(reason);
    expect((await silent.take()).gpu).toBeUndefined();
    process.env.PATH = path.join(folder, "nowhere");
    expect((await openEnergyMeter({ gpu: true, folder })).missing).toContain(reason);
  });

  it.each(["0, [N/A]", "0, [Not Supported]", "", "Failed to initialize NVML"])(
    "is not there in %j",
    (line) => {
      expect(powerIntegral().add(line, 0)).toBe(false);
    },
  );
});
