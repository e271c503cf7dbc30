import { judgeInstalled, readProviderState } from "./provider.js";
import { readMacGpus } from "./system-profiler.js";
import type { Backend } from "./types.js";

/** GPUs and neural engine of a Mac, which ONNX Runtime reaches through CoreML. */
export const mps: Backend = {
  name: "mps",
  title: "Apple Metal (CoreML)",
  executionProvider: "CoreMLExecutionProvider",

  detect: readMacGpus,

  async usable(devices, machine) {
    if (machine.platform !== "darwin") {
      return { usable: false, reason: `Metal and CoreML are part of macOS, and this is ${machine.platform}` };
    }
    if (devices.length === 0) {
      return { usable: false, reason: "system_profiler lists no GPU; a virtual machine may have none" };
    }
    const state = await readProviderState(machine, mps.executionProvider);
    if (state.installed) return judgeInstalled(state, "CoreML");
    return {
      usable: false,
      reason: `the runtime that is installed has no CoreML provider for ${machine.arch}; its package has one for Macs with Apple silicon`,
    };
  },
};
