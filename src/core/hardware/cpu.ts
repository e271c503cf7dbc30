import { readMemory } from "./memory.js";
import { readProcessor } from "./processor.js";
import type { Backend } from "./types.js";

export const cpu: Backend = {
  name: "cpu",
  title: "CPU",
  executionProvider: "CPUExecutionProvider",

  async detect(machine) {
    const [processor, memory] = await Promise.all([readProcessor(machine), readMemory(machine)]);
    const { loadAverage, logicalCores } = machine.os();
    return [
      {
        ...processor,
        kind: "cpu",
        memoryTotal: memory.total,
        memoryFree: memory.free,
        load:
          machine.platform !== "win32" && logicalCores > 0
            ? Math.min(1, loadAverage / logicalCores)
            : undefined,
        seenBy:
          machine.platform === "linux" ? "/proc/cpuinfo" : machine.platform === "darwin" ? "sysctl" : "os",
      },
    ];
  },

  async usable(_devices, machine) {
    if ((await machine.executionProviders()).includes(cpu.executionProvider)) {
      return { usable: true, reason: "the runtime's own provider; always there" };
    }
    const library = await machine.runtimeLibrary();
    return {
      usable: false,
      reason:
        library === undefined
          ? `the onnxruntime-node package has no library for ${machine.platform} ${machine.arch}; see its list of platforms`
          : "the runtime's library could not be loaded; reinstall with `npm ci`",
    };
  },
};
