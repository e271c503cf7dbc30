import { createRequire } from "node:module";
import path from "node:path";
import koffi, { type KoffiFunc } from "koffi";
import { disableRuntimeTelemetry } from "../config.js";
import { HfmsError } from "../errors.js";

/**
 * ONNX Runtime's C API, out of the shared library that onnxruntime-node ships. The only importer of koffi.
 *
 * Source: include/onnxruntime/core/session/onnxruntime_c_api.h of microsoft/onnxruntime. `struct OrtApi` is a table of
 * function pointers that only ever grows at its end, so a member's index never changes.
 */
export type Pointer = unknown;

/** The API version that is asked for: the oldest that has all members below (GetEpDevices came with 1.22). */
const API_VERSION = 22;

const PATH = process.platform === "win32" ? "const char16_t*" : "const char*";

/** Index in `struct OrtApi`, and the C signature with F for the name. `void*` as the result is an OrtStatus*. */
const members = {
  GetErrorCode: [1, "int F(void* status)"],
  GetErrorMessage: [2, "const char* F(void* status)"],
  CreateEnv: [3, "void* F(int severity, const char* id, _Out_ void** env)"],
  DisableTelemetryEvents: [6, "void* F(void* env)"],
  CreateSession: [7, `void* F(void* env, ${PATH} path, void* options, _Out_ void** session)`],
  CreateSessionOptions: [10, "void* F(_Out_ void** options)"],
  SetOptimizedModelFilePath: [11, `void* F(void* options, ${PATH} path)`],
  EnableProfiling: [14, `void* F(void* options, ${PATH} prefix)`],
  DisableMemPattern: [17, "void* F(void* options)"],
  DisableCpuMemArena: [19, "void* F(void* options)"],
  SetSessionGraphOptimizationLevel: [23, "void* F(void* options, int level)"],
  SetIntraOpNumThreads: [24, "void* F(void* options, int threads)"],
  SetInterOpNumThreads: [25, "void* F(void* options, int threads)"],
  CreateRunOptions: [39, "void* F(_Out_ void** options)"],
  RunOptionsSetTerminate: [46, "void* F(void* options)"],
  RunOptionsUnsetTerminate: [47, "void* F(void* options)"],
  CreateTensorWithDataAsOrtValue: [
    49,
    "void* F(void* info, void* data, size_t bytes, int64_t* shape, size_t rank, int type, _Out_ void** value)",
  ],
  CreateCpuMemoryInfo: [69, "void* F(int allocator, int memoryType, _Out_ void** info)"],
  ReleaseEnv: [92, "void F(void* env)"],
  ReleaseStatus: [93, "void F(void* status)"],
  ReleaseMemoryInfo: [94, "void F(void* info)"],
  ReleaseSession: [95, "void F(void* session)"],
  ReleaseValue: [96, "void F(void* value)"],
  ReleaseRunOptions: [97, "void F(void* options)"],
  ReleaseSessionOptions: [100, "void F(void* options)"],
  GetAvailableProviders: [125, "void* F(_Out_ void** names, _Out_ int* count)"],
  ReleaseAvailableProviders: [126, "void* F(void* names, int count)"],
  AddSessionConfigEntry: [130, "void* F(void* options, const char* key, const char* value)"],
  RunWithBinding: [133, "void* F(void* session, void* runOptions, void* binding)"],
  CreateIoBinding: [134, "void* F(void* session, _Out_ void** binding)"],
  ReleaseIoBinding: [135, "void F(void* binding)"],
  BindInput: [136, "void* F(void* binding, const char* name, void* value)"],
  BindOutput: [137, "void* F(void* binding, const char* name, void* value)"],
  GetEpDevices: [303, "void* F(void* env, _Out_ void** devices, _Out_ size_t* count)"],
  HardwareDevice_Type: [307, "int F(void* device)"],
  HardwareDevice_Vendor: [309, "const char* F(void* device)"],
  HardwareDevice_DeviceId: [310, "uint32_t F(void* device)"],
  EpDevice_EpName: [312, "const char* F(void* epDevice)"],
  EpDevice_Device: [316, "void* F(void* epDevice)"],
} as const satisfies Record<string, readonly [number, string]>;

type Member = keyof typeof members;
type NativeFunction = KoffiFunc<(...args: unknown[]) => unknown>;

/** OrtErrorCode, in the header's order. */
const errorCodes = [
  "OK",
  "FAIL",
  "INVALID_ARGUMENT",
  "NO_SUCHFILE",
  "NO_MODEL",
  "ENGINE_ERROR",
  "RUNTIME_EXCEPTION",
  "INVALID_PROTOBUF",
  "MODEL_LOADED",
  "NOT_IMPLEMENTED",
  "INVALID_GRAPH",
  "EP_FAIL",
  "MODEL_LOAD_CANCELED",
  "MODEL_REQUIRES_COMPILATION",
  "NOT_FOUND",
] as const;

export interface OrtLibrary {
  /** Held for as long as its functions are: koffi unloads a library whose handle is garbage collected. */
  library: unknown;
  version: string;
  path: string;
  /** Calls a member that returns OrtStatus*; a status becomes an HfmsError with ORT's code and message. */
  call(name: Member, ...args: unknown[]): void;
  /** Calls a creating member, whose last argument is the out pointer, and returns what it made. */
  make(name: Member, ...args: unknown[]): Pointer;
  /** Like `call`, on a thread of libuv's pool: the event loop stays free. */
  callAsync(name: Member, ...args: unknown[]): Promise<void>;
  makeAsync(name: Member, ...args: unknown[]): Promise<Pointer>;
  /** Calls a member that can't fail: the Release functions and getters. */
  get(name: Member, ...args: unknown[]): unknown;
  /** Reads a C array of pointers. */
  pointers(array: Pointer, count: number): Pointer[];
  strings(array: Pointer, count: number): string[];
}

let loaded: OrtLibrary | undefined;

/** The shared library, loaded once a process. Throws runtime_error when it is missing or too old for this machine. */
export function ortLibrary(): OrtLibrary {
  loaded ??= load();
  return loaded;
}

function load(): OrtLibrary {
  const file = libraryPath();
  disableRuntimeTelemetry();
  let library: ReturnType<typeof koffi.load>;
  let version: string;
  let table: Pointer[];
  try {
    library = koffi.load(file);
    const base = library.func("void* OrtGetApiBase()")();
    const [getApi, getVersion] = koffi.decode(base, koffi.array("void*", 2));
    version = koffi.call(getVersion, koffi.proto("const char* OrtGetVersionString()"));
    const api = koffi.call(getApi, koffi.proto("void* OrtGetApi(uint32_t version)"), API_VERSION);
    if (!api) throw new Error(`ONNX Runtime ${version} has no API version ${API_VERSION}`);
    table = koffi.decode(
      api,
      koffi.array("void*", Math.max(...Object.values(members).map(([index]) => index)) + 1),
    );
  } catch (error) {
    throw new HfmsError(
      "runtime_error",
      `ONNX Runtime can't be loaded from ${file}: ${(error as Error).message}`,
      {
        hint: "run `npm ci` again; on Linux hfms needs glibc 2.28 or later",
        cause: error,
      },
    );
  }

  const functions = new Map<Member, NativeFunction>();
  const native = (name: Member): NativeFunction => {
    let found = functions.get(name);
    if (!found) {
      const [index, signature] = members[name];
      found = koffi.decode(
        table[index],
        koffi.proto(signature.replace("F(", `Ort${name}(`)),
      ) as NativeFunction;
      functions.set(name, found);
    }
    return found;
  };
  const check = (name: Member, status: Pointer): void => {
    if (!status) return;
    const code = native("GetErrorCode")(status) as number;
    const message = native("GetErrorMessage")(status) as string;
    native("ReleaseStatus")(status);
    throw statusError(name, code, message);
  };
  const later = (name: Member, args: unknown[]): Promise<void> =>
    new Promise((resolve, reject) => {
      native(name).async(...args, (error: Error | null, status: Pointer) => {
        try {
          if (error) throw error;
          check(name, status);
          resolve();
        } catch (failure) {
          reject(failure);
        }
      });
    });

  return {
    library,
    version,
    path: file,
    call: (name, ...args) => check(name, native(name)(...args)),
    make(name, ...args) {
      const out: Pointer[] = [null];
      check(name, native(name)(...args, out));
      return out[0];
    },
    callAsync: (name, ...args) => later(name, args),
    async makeAsync(name, ...args) {
      const out: Pointer[] = [null];
      await later(name, [...args, out]);
      return out[0];
    },
    get: (name, ...args) => native(name)(...args),
    pointers: (array, count) => koffi.decode(array, koffi.array("void*", count)) as Pointer[],
    strings: (array, count) => koffi.decode(array, koffi.array("char*", count)) as string[],
  };
}

function libraryPath(): string {
  const names: Partial<Record<NodeJS.Platform, string>> = {
    linux: "libonnxruntime.so.1",
    darwin: "libonnxruntime.1.dylib",
    win32: "onnxruntime.dll",
  };
  const name = names[process.platform];
  if (!name) {
    throw new HfmsError("runtime_error", `onnxruntime-node has no library for ${process.platform}`, {
      hint: "hfms runs on Linux (x64, arm64), macOS (arm64) and Windows (x64, arm64)",
    });
  }
  const root = path.dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
  return path.join(root, "bin", "napi-v6", process.platform, process.arch, name);
}

function statusError(name: string, code: number, message: string): HfmsError {
  const word = errorCodes[code] ?? String(code);
  // RunOptionsSetTerminate makes the run fail with this text; the caller knows that it asked for it.
  if (message.includes("terminate flag")) return new HfmsError("aborted", "stopped");
  if (/bad_alloc|Failed to allocate memory|out of memory/i.test(message)) {
    return new HfmsError("out_of_memory", `ONNX Runtime ran out of memory in ${name}: ${message}`, {
      hint: "use a smaller model, a smaller dtype (--dtype int4) or a shorter context",
    });
  }
  return new HfmsError("runtime_error", `ONNX Runtime ${name}: ${word}: ${message}`);
}
