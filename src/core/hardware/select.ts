import { HfmsError } from "../errors.js";
import { type DeviceName, deviceNames } from "../requests.js";
import { rememberAnswers } from "./machine.js";
import { readMemory } from "./memory.js";

import type { BackendReport, DetectedDevice, HardwareReport, Machine } from "./types.js";

export interface DeviceRequest {
  /** A DeviceName or "auto" (default). Checked here, because it comes from flags and requests. */
  device?: string;
  /** Refuse instead of falling back to the CPU. */
  requireDevice?: boolean;
  /** Bytes that weights and cache will take. */
  memoryNeeded?: number;
}

export interface DeviceChoice {
  device: DeviceName;
  /** Why, in one plain sentence. */
  reason: string;
  /** What the user should know: the device they named is not the one that is used, or memory is short. */
  notice?: string;
}

type Seen = Pick<HardwareReport, "backends" | "memory">;

/** Best first, when several can be used: the vendor's own way before the general one. */
const PREFERENCE: DeviceName[] = ["cuda", "rocm", "mps", "openvino", "qnn", "directml", "webgpu"];
/** Above this another job has the device, and waiting for it is slower than the CPU. */
const BUSY = 0.9;

/**
 * The device to run on. `auto` takes the best accelerator that can be used, has the memory and isn't busy, else the
 * CPU. A named device that can't be used falls back to the CPU with a notice, or throws `device_unavailable` under
 * `requireDevice`. An unknown name is `invalid_request`.
 */
export function selectDevice(report: Seen, request: DeviceRequest = {}): DeviceChoice {
  const asked = parseDevice(request.device);
  if (asked === "auto") return withCpuChecks(report, request, chooseDevice(report, request.memoryNeeded));
  const backend = report.backends.find((candidate) => candidate.backend === asked);
  const obstacle =
    backend === undefined ? `${asked} was not looked for` : obstacleOf(backend, request.memoryNeeded);
  if (obstacle === undefined) {
    return withCpuChecks(report, request, { device: asked, reason: `${asked} was asked for` });
  }
  if (request.requireDevice || asked === "cpu") {
    throw new HfmsError("device_unavailable", `${asked} can't be used here: ${obstacle}`, {
      param: "device",
      hint: "run `hfms hardware` to see what can be used",
    });
  }
  return withCpuChecks(report, request, {
    device: "cpu",
    reason: `${asked} can't be used here`,
    notice: `running on the CPU, because ${asked} can't be used here: ${obstacle}`,
  });
}

/**
 * The same choice for start-up, without the whole report: the CPU, and `auto` where hfms drives nothing but the CPU,
 * cost no file and no child process; otherwise only the backends in question are looked at.
 */
export async function selectDeviceAtStart(
  machine: Machine,
  request: DeviceRequest = {},
): Promise<DeviceChoice> {
  const asked = parseDevice(request.device);
  const memory = async () =>
    request.memoryNeeded === undefined ? UNKNOWN_MEMORY : await readMemory(machine);
  if (asked === "cpu") {
    const choice: DeviceChoice = { device: "cpu", reason: "cpu was asked for" };
    return withCpuChecks({ backends: [], memory: await memory() }, request, choice);
  }
  const once = rememberAnswers(machine);
  const names = asked === "auto" ? await driven(once) : [asked];
  if (names.length === 0) return selectDevice({ backends: [], memory: await memory() }, request);
  // Twenty modules of parsers, which a start on the CPU does without.
  const { reportBackend } = await import("./backend-report.js");
  const [available, ...reports] = await Promise.all([
    memory(),
    ...names.map((name) => reportBackend(name, once)),
  ]);
  return selectDevice({ memory: available, backends: reports }, request);
}

const UNKNOWN_MEMORY: HardwareReport["memory"] = {
  total: Number.POSITIVE_INFINITY,
  free: Number.POSITIVE_INFINITY,
  limitedBy: "machine",
};

/** What `auto` takes. */
export function chooseDevice(report: Seen, memoryNeeded?: number): DeviceChoice {
  const usable = PREFERENCE.flatMap((name) =>
    report.backends.filter(({ backend }) => backend === name),
  ).filter((backend) => backend.usable && backend.devices.some(isAccelerator));
  for (const backend of usable) {
    const device = bestDevice(backend.devices.filter(isAccelerator), memoryNeeded);
    if (device !== undefined && (device.load ?? 0) < BUSY) {
      return { device: backend.backend, reason: `${device.name} can be used through ${backend.title}` };
    }
  }
  if (usable.length > 0) {
    const names = usable.map(({ title }) => title).join(", ");
    return { device: "cpu", reason: `${names}: not enough free memory, or busy` };
  }
  const unused = report.backends.find(({ devices }) => devices.some(isAccelerator));
  return {
    device: "cpu",
    reason: unused
      ? `${unused.devices.find(isAccelerator)?.name} is there, but can't be used: ${unused.reason}`
      : "no other device can be used here",
  };
}

function parseDevice(name: string = "auto"): DeviceName | "auto" {
  const known = ["auto", ...deviceNames].find((candidate) => candidate === name);
  if (known === undefined) {
    throw new HfmsError("invalid_request", `there is no device "${name}"`, {
      param: "device",
      hint: `use one of auto, ${deviceNames.join(", ")}`,
    });
  }
  return known as DeviceName | "auto";
}

/** Why a named device can't be used. A busy one can: the user asked for it. */
function obstacleOf(backend: BackendReport, memoryNeeded: number | undefined): string | undefined {
  if (!backend.usable) return backend.reason;
  // The CPU's memory may be short and still do: weights are mapped and pages come and go.
  if (backend.backend === "cpu" || backend.devices.length === 0) return undefined;
  if (bestDevice(backend.devices, memoryNeeded) !== undefined) return undefined;
  const free = Math.max(...backend.devices.map((device) => device.memoryFree ?? 0));
  return `it has ${gibibytes(free)} of memory free and the model needs about ${gibibytes(memoryNeeded ?? 0)}`;
}

/** Of the devices with enough free memory the one with the least load, then the most memory. */
function bestDevice(devices: DetectedDevice[], memoryNeeded = 0): DetectedDevice | undefined {
  return devices
    .filter(({ memoryFree }) => memoryFree === undefined || memoryFree >= memoryNeeded)
    .sort((a, b) => (a.load ?? 0) - (b.load ?? 0) || (b.memoryFree ?? 0) - (a.memoryFree ?? 0))[0];
}

function isAccelerator({ kind }: DetectedDevice): boolean {
  return kind !== "cpu";
}

function withCpuChecks(report: Seen, request: DeviceRequest, choice: DeviceChoice): DeviceChoice {
  const cpu = report.backends.find(({ backend }) => backend === "cpu");
  if (choice.device === "cpu" && cpu?.usable === false) {
    throw new HfmsError("device_unavailable", `the CPU can't be used here: ${cpu.reason}`, {
      param: "device",
    });
  }
  const needed = request.memoryNeeded ?? 0;
  if (choice.device !== "cpu" || needed <= report.memory.free) return choice;
  const short = `the model needs about ${gibibytes(needed)} of memory and ${gibibytes(report.memory.free)} are free`;
  return { ...choice, notice: choice.notice ? `${choice.notice}; ${short}` : short };
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

/** Accelerators that hfms drives and that show a device file (macOS and Windows show none, so there all count). */
async function driven(machine: Machine): Promise<DeviceName[]> {
  const providers = (await machine.sessionProviders()).filter((name) => name !== "CPUExecutionProvider");
  if (providers.length === 0) return [];
  const { backends } = await import("./index.js");
  const names = PREFERENCE.filter((name) => providers.includes(backends[name].executionProvider));
  if (names.length === 0 || machine.platform !== "linux") return names;
  const files = await machine.readDir("/dev");
  return files.some((name) => /^(nvidia|kfd$|dri$|dxg$|accel|fastrpc-|nvhost|nvgpu)/.test(name)) ? names : [];
}
