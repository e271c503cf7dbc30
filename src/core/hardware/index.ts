import type { DeviceName } from "../requests.js";
import { cpu } from "./cpu.js";
import { cuda } from "./cuda.js";
import { directml } from "./directml.js";
import { mps } from "./mps.js";
import { openvino } from "./openvino.js";
import { qnn } from "./qnn.js";
import { rocm } from "./rocm.js";
import type { Backend } from "./types.js";
import { webgpu } from "./webgpu.js";

/** Every backend there is. */
export const backends = { cpu, cuda, rocm, mps, openvino, qnn, webgpu, directml } satisfies Record<
  DeviceName,
  Backend
>;
