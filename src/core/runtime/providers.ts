import { ortLibrary } from "./ort-api.js";

/** Names of the execution providers that the runtime's library was built with. */
export function executionProviders(): string[] {
  const ort = ortLibrary();
  const names = [null];
  const count = [0];
  ort.call("GetAvailableProviders", names, count);
  try {
    return ort.strings(names[0], count[0]);
  } finally {
    ort.call("ReleaseAvailableProviders", names[0], count[0]);
  }
}

export interface RuntimeDevice {
  executionProvider: string;
  vendor: string;
  type: "cpu" | "gpu" | "npu";
  deviceId: number;
}

const deviceTypes = ["cpu", "gpu", "npu"] as const;
const LOG_FATAL = 4;

/** Devices that ONNX Runtime itself offers sessions on (GetEpDevices). */
export function runtimeDevices(): RuntimeDevice[] {
  const ort = ortLibrary();
  const env = ort.make("CreateEnv", LOG_FATAL, "hfms");
  try {
    const list = [null];
    const count = [0];
    ort.call("GetEpDevices", env, list, count);
    return ort.pointers(list[0], count[0]).map((device) => {
      const hardware = ort.get("EpDevice_Device", device);
      return {
        executionProvider: ort.get("EpDevice_EpName", device) as string,
        vendor: ort.get("HardwareDevice_Vendor", hardware) as string,
        type: deviceTypes[ort.get("HardwareDevice_Type", hardware) as number] ?? "cpu",
        deviceId: ort.get("HardwareDevice_DeviceId", hardware) as number,
      };
    });
  } finally {
    ort.get("ReleaseEnv", env);
  }
}

export function runtimeLibrary(): { version: string; library: string } {
  const { version, path } = ortLibrary();
  return { version, library: path };
}
