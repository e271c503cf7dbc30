import { deviceNames } from "../requests.js";
import { type BackendReportOptions, reportBackend } from "./backend-report.js";
import { rememberAnswers } from "./machine.js";
import { readMemory } from "./memory.js";
import { readProcessor } from "./processor.js";
import { chooseDevice } from "./select.js";
import type { HardwareReport, Machine } from "./types.js";

/**
 * All devices, memory and providers of the machine. Backends look at the same time, each for at most `timeoutMs`; one
 * that fails or hangs says so in its reason. Never throws.
 */
export async function detectHardware(
  machine: Machine,
  options: BackendReportOptions = {},
): Promise<HardwareReport> {
  const asked = rememberAnswers(machine);
  const [processor, memory, library, ...reports] = await Promise.all([
    readProcessor(asked),
    readMemory(asked),
    asked.runtimeLibrary(),
    ...deviceNames.map((name) => reportBackend(name, asked, options)),
  ]);
  return {
    platform: machine.platform,
    arch: machine.arch,
    cpu: processor,
    memory,
    runtime: { name: "onnxruntime", version: library?.version ?? "", library: library?.library ?? "" },
    backends: reports,
    selected: chooseDevice({ memory, backends: reports }),
  };
}
