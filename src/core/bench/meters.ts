import { openEnergyMeter } from "./energy.js";
import type { BenchMeasure } from "./measures.js";
import { watchMemory } from "./memory.js";

/** What one run found by itself. */
export interface Run {
  measures: Partial<Record<BenchMeasure, number>>;
  /** What was made: new tokens or texts. */
  made: { count: number; as: "token" | "text" };
}

export interface Meters extends Disposable {
  /** Does the work, and adds what it took of memory and energy. */
  measure(work: () => Promise<Run>): Promise<Run["measures"]>;
  /** Why a number is absent: one sentence each. */
  missing: string[];
}

export async function openMeters({ gpu }: { gpu: boolean }): Promise<Meters> {
  const energy = await openEnergyMeter({ gpu });
  const memory = watchMemory({ except: energy.pids });
  return {
    missing: energy.missing,
    async measure(work) {
      await memory.takePeak();
      await energy.take();
      const { measures, made } = await work();
      const { processor, gpu: cards } = await energy.take();
      // Half of the energy would look like a saving.
      const all =
        processor === undefined || (gpu && cards === undefined) ? undefined : processor + (cards ?? 0);
      return {
        ...measures,
        peak_memory_bytes: await memory.takePeak(),
        joules: processor,
        gpu_joules: cards,
        [`joules_per_${made.as}`]: all === undefined ? undefined : all / made.count,
      };
    },
    [Symbol.dispose]() {
      energy.stop();
      memory.stop();
    },
  };
}
