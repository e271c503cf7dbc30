import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";
import type { GraphBuilder } from "../src/core/graph/builder.js";
import { Session, type SessionOptions } from "../src/core/runtime/session.js";
import { createTensor, type Tensor } from "../src/core/tensor.js";

/** Writes a graph and its weights as `convert` does; the folder goes when the test ends. */
export async function writeGraph(g: GraphBuilder): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "hfms-graph-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const { streams, size } = g.layout();
  await using weights = await open(path.join(folder, "weights.bin"), "w");
  await weights.truncate(size);
  for (const { stream, offsets } of streams) {
    const positions = [...offsets];
    for await (const pieces of stream.chunks()) {
      for (const [i, piece] of pieces.entries()) {
        await weights.write(piece, 0, piece.byteLength, positions[i]);
        positions[i] += piece.byteLength;
      }
    }
  }
  const file = path.join(folder, "model.onnx");
  await writeFile(file, g.encode("weights.bin", { version: "test" }));
  return file;
}

/** A session of a graph; it goes when the test ends. */
export async function openGraph(g: GraphBuilder, options: SessionOptions = {}): Promise<Session> {
  const session = await Session.create(await writeGraph(g), { threads: 2, ...options });
  onTestFinished(() => session[Symbol.asyncDispose]());
  return session;
}

/** Runs a graph once; the tensors under the names of its outputs receive the results. */
export async function runGraph(
  g: GraphBuilder,
  { inputs, outputs }: { inputs: Record<string, Tensor>; outputs: Record<string, Tensor> },
): Promise<void> {
  const binding = (await openGraph(g)).createBinding();
  for (const [name, tensor] of Object.entries(inputs)) binding.input(name, tensor);
  for (const [name, tensor] of Object.entries(outputs)) binding.output(name, tensor);
  await binding.run();
}

/** A float32 tensor of the given values. */
export function floats(shape: readonly number[], values: ArrayLike<number>): Tensor<Float32Array> {
  const tensor = createTensor("float32", shape);
  tensor.data.set(values);
  return tensor;
}
