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
  /** What executes: a software Vulkan device and OpenVINO on the processor are "cpu", and `auto` never picks those. */
  kind?: "cpu" | "gpu" | "npu";
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
  /** What the operating system says about processor and memory, without a child process. */
  os(): OsFacts;
  /** Graphics cards by systeminformation: slow (a library and several tools), so asked only when all else is silent. */
  graphics(): Promise<{ vendor: string; model: string }[]>;
  /** The runtime's shared library; undefined where the package has none for this platform. */
  runtimeLibrary(): Promise<{ version: string; library: string } | undefined>;
  /** Execution providers that the runtime's library has, by ONNX Runtime's names. */
  executionProviders(): Promise<string[]>;
  /** Those of them that hfms opens sessions on: a provider in the library is not yet one that runs hfms' graphs. */
  sessionProviders(): Promise<string[]>;
  /** Devices that ONNX Runtime itself lists (GetEpDevices), as far as it can. */
  runtimeDevices(): Promise<
    { executionProvider: string; vendor: string; type: "cpu" | "gpu" | "npu"; deviceId: number }[]
  >;
}

/** Bytes, and counts of logical processors. */
export interface OsFacts {
  cpuModel: string;
  logicalCores: number;
  /** Logical processors this process may run on (affinity). */
  availableParallelism: number;
  /** Runnable processes averaged over a minute; 0 where the system has no such number. */
  loadAverage: number;
  memoryTotal: number;
  memoryFree: number;
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
