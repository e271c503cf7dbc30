import type { DeviceName } from "../requests.js";
import { backends } from "./index.js";
import type { BackendReport, DetectedDevice, Machine } from "./types.js";

/** A report has to be there before its user doubts it. */
const BACKEND_TIMEOUT_MS = 2000;

export interface BackendReportOptions {
  timeoutMs?: number;
}

/**
 * One backend: what it sees, and whether it can be used here. Takes `timeoutMs` at most; a backend that fails or hangs
 * says so in its reason.
 */
export async function reportBackend(
  name: DeviceName,
  machine: Machine,
  { timeoutMs = BACKEND_TIMEOUT_MS }: BackendReportOptions = {},
): Promise<BackendReport> {
  const backend = backends[name];
  const about = { backend: name, title: backend.title, executionProvider: backend.executionProvider };
  const look = async (): Promise<BackendReport> => {
    const detected = await backend.detect(machine);
    const devices = detected.length > 0 ? detected : await seenByRuntime(machine, backend.executionProvider);
    return { ...about, devices, ...(await backend.usable(devices, machine)) };
  };
  const clock = Promise.withResolvers<BackendReport>();
  const timer = setTimeout(() => {
    const reason = `its tools did not answer within ${timeoutMs / 1000} s; run the vendor's tool yourself to see why`;
    clock.resolve({ ...about, devices: [], usable: false, reason });
  }, timeoutMs);
  try {
    return await Promise.race([look(), clock.promise]);
  } catch (error) {
    const reason = `looking for it failed: ${error instanceof Error ? error.message : String(error)}`;
    return { ...about, devices: [], usable: false, reason };
  } finally {
    clearTimeout(timer);
  }
}

/** ONNX Runtime lists devices itself; its word counts where nothing else saw any. QNN also lists the processor. */
async function seenByRuntime(machine: Machine, executionProvider: string): Promise<DetectedDevice[]> {
  const devices = await machine.runtimeDevices();
  return devices
    .filter((device) => device.executionProvider === executionProvider && device.type !== "cpu")
    .map(({ vendor, type, deviceId }) => ({
      name: `${vendor} ${type.toUpperCase()} (0x${deviceId.toString(16)})`,
      vendor,
      kind: type,
      seenBy: "ONNX Runtime",
    }));
}
