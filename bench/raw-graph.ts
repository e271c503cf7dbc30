import { createRequire } from "node:module";
import path from "node:path";
import koffi from "koffi";

/** What hfms.json says of a decoder's graph. */
export interface DecoderShape {
  layers: number;
  kvHeads: number;
  headDim: number;
  vocabularySize: number;
}

export interface RawGraph {
  /** Runs so many steps of one token behind `past` tokens. The cache holds zeros: time does not depend on its content. */
  decode(past: number, steps: number): Promise<void>;
}

type Pointer = unknown;

/**
 * The least that can drive a decoder's graph: ONNX Runtime's C API, tensors bound once, a native call a step. It shares
 * no code with hfms on purpose, and releases nothing because the process ends with the benchmark.
 */
export async function openRawGraph(
  file: string,
  shape: DecoderShape,
  { threads, capacity }: { threads: number; capacity: number },
): Promise<RawGraph> {
  const ort = loadApi();
  const env = ort.make("CreateEnv", 3, "bench");
  const settings = ort.make("CreateSessionOptions");
  ort.call("SetIntraOpNumThreads", settings, threads);
  const session = ort.make("CreateSession", env, file, settings);
  const memory = ort.make("CreateCpuMemoryInfo", 0, 0);
  const binding = ort.make("CreateIoBinding", session);
  const kept: ArrayBuffer[] = [];
  const bound = <T extends Int32Array | BigInt64Array | Float32Array>(data: T, dims: number[]): Pointer => {
    kept.push(data.buffer as ArrayBuffer);
    const type = data instanceof Float32Array ? FLOAT : data instanceof Int32Array ? INT32 : INT64;
    const sizes = BigInt64Array.from(dims, BigInt);
    return ort.make("CreateTensor", memory, data, data.byteLength, sizes, dims.length, type);
  };
  const { layers, kvHeads, headDim, vocabularySize } = shape;
  for (let layer = 0; layer < layers; layer++) {
    for (const kind of ["key", "value"]) {
      const cache = bound(new Float32Array(new ArrayBuffer(kvHeads * capacity * headDim * 4)), [
        1,
        kvHeads,
        capacity,
        headDim,
      ]);
      ort.call("BindInput", binding, `past_key_values.${layer}.${kind}`, cache);
      ort.call("BindOutput", binding, `present.${layer}.${kind}`, cache);
    }
  }
  const seqlens = new Int32Array(new ArrayBuffer(4));
  const total = new Int32Array(new ArrayBuffer(4));
  const token = new BigInt64Array(new ArrayBuffer(8)).fill(100n);
  ort.call("BindInput", binding, "input_ids", bound(token, [1, 1]));
  ort.call("BindInput", binding, "seqlens_k", bound(seqlens, [1]));
  ort.call("BindInput", binding, "total_sequence_length", bound(total, []));
  ort.call("BindInput", binding, "logits_indices", bound(new BigInt64Array(new ArrayBuffer(8)), [1]));
  const logits = new Float32Array(new ArrayBuffer(vocabularySize * 4));
  ort.call("BindOutput", binding, "logits", bound(logits, [1, vocabularySize]));
  return {
    async decode(past, steps) {
      if (past + steps > capacity) throw new Error(`${past} + ${steps} tokens don't fit into ${capacity}`);
      for (let step = 0; step < steps; step++) {
        seqlens[0] = past + step;
        total[0] = past + step + 1;
        await ort.run(session, binding);
      }
      if (kept.length === 0) throw new Error("the tensors were let go");
    },
  };
}

const FLOAT = 1;
const INT32 = 6;
const INT64 = 7;

/** Index in `struct OrtApi` (onnxruntime_c_api.h; append-only) and signature. */
const members = {
  GetErrorMessage: [2, "const char* F(void* status)"],
  CreateEnv: [3, "void* F(int level, const char* id, _Out_ void** env)"],
  CreateSession: [7, "void* F(void* env, const char* path, void* options, _Out_ void** session)"],
  CreateSessionOptions: [10, "void* F(_Out_ void** options)"],
  SetIntraOpNumThreads: [24, "void* F(void* options, int threads)"],
  CreateTensor: [
    49,
    "void* F(void* info, void* data, size_t bytes, int64_t* shape, size_t rank, int type, _Out_ void** value)",
  ],
  CreateCpuMemoryInfo: [69, "void* F(int allocator, int type, _Out_ void** info)"],
  RunWithBinding: [133, "void* F(void* session, void* runOptions, void* binding)"],
  CreateIoBinding: [134, "void* F(void* session, _Out_ void** binding)"],
  BindInput: [136, "void* F(void* binding, const char* name, void* value)"],
  BindOutput: [137, "void* F(void* binding, const char* name, void* value)"],
} as const;

let loaded: ReturnType<typeof createApi> | undefined;

/** Once a process: koffi refuses a prototype's name a second time. */
function loadApi(): ReturnType<typeof createApi> {
  loaded ??= createApi();
  return loaded;
}

function createApi() {
  const library = koffi.load(libraryFile());
  const [getApi] = koffi.decode(library.func("void* OrtGetApiBase()")(), koffi.array("void*", 1));
  const api = koffi.call(getApi, koffi.proto("void* BenchGetApi(uint32_t version)"), 22);
  const table = koffi.decode(api, koffi.array("void*", 138));
  const native = Object.fromEntries(
    Object.entries(members).map(([name, [index, signature]]) => [
      name,
      koffi.decode(table[index], koffi.proto(signature.replace("F(", `Bench${name}(`))),
    ]),
  );
  const check = (status: Pointer): void => {
    if (status) throw new Error(native.GetErrorMessage(status));
  };
  return {
    // koffi unloads a library whose handle is collected, and what `native` points to would be gone.
    library,
    call: (name: keyof typeof members, ...args: unknown[]) => check(native[name](...args)),
    make(name: keyof typeof members, ...args: unknown[]): Pointer {
      const out: Pointer[] = [null];
      check(native[name](...args, out));
      return out[0];
    },
    run: (session: Pointer, binding: Pointer) =>
      new Promise<void>((resolve, reject) => {
        native.RunWithBinding.async(session, null, binding, (error: Error | null, status: Pointer) => {
          try {
            if (error) throw error;
            check(status);
            resolve();
          } catch (failure) {
            reject(failure);
          }
        });
      }),
  };
}

function libraryFile(): string {
  const names: Record<string, string> = {
    linux: "libonnxruntime.so.1",
    darwin: "libonnxruntime.1.dylib",
    win32: "onnxruntime.dll",
  };
  const root = path.dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
  return path.join(root, "bin", "napi-v6", process.platform, process.arch, names[process.platform]);
}
