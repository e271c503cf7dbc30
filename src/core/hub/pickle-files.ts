import path from "node:path";
import { HfmsError } from "../errors.js";

/** PyTorch's files of weights. What training leaves beside them, and OpenVINO's and GGML's .bin, are something else. */
const pickled = /\.(bin|pt|pth|ckpt|pkl|pickle)$/i;
const otherFiles = /^(training_args|optimizer|scheduler|scaler|rng_state|openvino|.*ggml|.*encoder_tokens)/i;

/** Refuses a repository whose weights are pickle files: loading one runs whatever code it holds. */
export function refusePickle(id: string, paths: readonly string[]): void {
  const files = paths.filter((file) => pickled.test(file) && !otherFiles.test(path.posix.basename(file)));
  // Those in folders (original/) are read only where there is nothing else.
  const found = files.find((file) => !file.includes("/")) ?? files[0];
  if (found) throw pickleOnly(`${id} has its weights in pickle files only (${found})`, id);
}

export function pickleOnly(message: string, id: string): HfmsError {
  // The Hub's bot opens a pull request with the same weights as safetensors; its branch is a revision like any other.
  const elsewhere = path.isAbsolute(id)
    ? "save the model again with `safe_serialization=True`, or take it from a repository that has model.safetensors"
    : "look for the pull request that adds model.safetensors and run its branch (`--revision refs/pr/1`), take a repository of the same model that has safetensors or GGUF, or let the Space safetensors/convert open that pull request";
  return new HfmsError("unsupported_model", message, {
    hint: `a pickle file can run any code when it is read, so hfms opens none: ${elsewhere}`,
    param: "model",
  });
}
