import type { DeviceName } from "../requests.js";

/**
 * A backend is a kind of hardware with the execution providers that can drive it: one file of this folder each, listed
 * in index.ts. "Device seen" and "provider usable here" are two questions with two answers.
 */
export interface Backend {
  name: DeviceName;
  /** For people: "NVIDIA CUDA". */
  title: string;
  /** ONNX Runtime's execution provider, e.g. CUDAExecutionProvider. */
  executionProvider: string;
  /** Looks for devices with what the machine offers (vendor tools, sysfs, systeminformation). Never throws. */
  detect(machine: Machine): Promise<DetectedDevice[]>;
  /** Can a session run on it with the runtime that is installed? The reason is a sentence that says what to do. */
  usable(devices: DetectedDevice[], machine: Machine): Promise<{ usable: boolean; reason: string }>;
}

export interface DetectedDevice {
  name: string;
  vendor?: string;
  /** Bytes. */
  memoryTotal?: number;
  memoryFree?: number;
  /** E.g. "8.9" for CUDA, gfx1100 for ROCm. */
  computeCapability?: string;
  driver?: string;
  /** Physical cores of a CPU; compute units of a GPU. */
  cores?: number;
  /** Threads this process may use (cgroup and affinity), CPU only. */
  threads?: number;
  instructionSets?: string[];
  /** Fraction in use, 0 to 1. */
  load?: number;
  /** Which tool or file said so: "nvidia-smi", "/sys/class/drm/card0". */
  seenBy: string;
}

/** What detection may look at; injected, so that parsers are tested on captured output of machines we don't have. */
export interface Machine {
  platform: NodeJS.Platform;
  arch: string;
  /** Runs a vendor tool; undefined when it is missing, fails or takes longer than a second or two. */
  run(command: string, args: string[]): Promise<string | undefined>;
  readFile(path: string): Promise<string | undefined>;
  readDir(path: string): Promise<string[]>;
  /** Execution providers that the runtime's library has, by ONNX Runtime's names. */
  executionProviders(): Promise<string[]>;
  /** Devices that ONNX Runtime itself lists (GetEpDevices), as far as it can. */
  runtimeDevices(): Promise<
    { executionProvider: string; vendor: string; type: "cpu" | "gpu" | "npu"; deviceId: number }[]
  >;
}

export interface BackendReport {
  backend: DeviceName;
  title: string;
  executionProvider: string;
  devices: DetectedDevice[];
  usable: boolean;
  reason: string;
}

export interface HardwareReport {
  platform: string;
  arch: string;
  cpu: { name: string; cores: number; threads: number; instructionSets: string[] };
  /** Bytes this process may use: the container's limit where there is one. */
  memory: { total: number; free: number; limitedBy: "machine" | "cgroup" };
  runtime: { name: "onnxruntime"; version: string; library: string };
  backends: BackendReport[];
  /** What `auto` would choose now, and why. */
  selected: { device: DeviceName; reason: string };
}
