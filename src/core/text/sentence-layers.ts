import path from "node:path";
import { HfmsError } from "../errors.js";
import { openWeights } from "../weights/index.js";
import type { WeightFile } from "../weights/types.js";
import type { DenseActivation, SentenceLayer } from "./sentence-transformers.js";

/** A layer behind pooling, with its weights. */
export interface VectorLayer {
  /** Components of what it takes and gives; absent: as many as there are. */
  inputs?: number;
  outputs?: number;
  apply(vector: Float32Array): Float32Array;
}

/** Reads the weights of a model's layers behind pooling. Source: sentence-transformers, Dense and LayerNorm. */
export async function loadVectorLayers(
  directory: string,
  layers: readonly SentenceLayer[],
): Promise<VectorLayer[]> {
  const loaded: VectorLayer[] = [];
  for (const layer of layers) {
    if (layer.kind === "normalize") {
      loaded.push({ apply: normalize });
      continue;
    }
    await using file = await openWeights(path.join(directory, layer.weights));
    loaded.push(await (layer.kind === "dense" ? denseLayer(file, layer) : layerNorm(file)));
  }
  return loaded;
}

/** Components of the vectors that leave the layers; `size` go in. Throws corrupt_file where they don't fit together. */
export function outputSize(layers: readonly VectorLayer[], size: number): number {
  for (const { inputs, outputs } of layers) {
    if (inputs !== undefined && inputs !== size) {
      throw new HfmsError("corrupt_file", `a layer takes vectors of ${inputs} components, but gets ${size}`, {
        hint: "pool as the model's files say, without --pooling; if that doesn't help, pull the model again",
      });
    }
    size = outputs ?? size;
  }
  return size;
}

/** Scales a vector to length 1, in place; a zero vector stays. Source: torch.nn.functional.normalize, eps 1e-12. */
export function normalize(vector: Float32Array): Float32Array {
  let squares = 0;
  for (const value of vector) squares += value * value;
  const norm = Math.max(Math.sqrt(squares), 1e-12);
  for (let i = 0; i < vector.length; i++) vector[i] /= norm;
  return vector;
}

const activations: Record<DenseActivation, (value: number) => number> = {
  Identity: (value) => value,
  Tanh: Math.tanh,
  ReLU: (value) => Math.max(0, value),
  Sigmoid: (value) => 1 / (1 + Math.exp(-value)),
};

async function denseLayer(
  file: WeightFile,
  { activation, residual }: Extract<SentenceLayer, { kind: "dense" }>,
): Promise<VectorLayer> {
  const matrix = await readMatrix(file, "linear.weight");
  const bias = file.tensors.has("linear.bias") ? await file.readFloat32("linear.bias") : undefined;
  const bypass =
    residual && matrix.rows !== matrix.columns ? await readMatrix(file, "residual.weight") : undefined;
  const act = activations[activation];
  return {
    inputs: matrix.columns,
    outputs: matrix.rows,
    apply(vector) {
      const result = product(matrix, vector, bias).map(act);
      if (!residual) return result;
      const beside = bypass ? product(bypass, vector) : vector;
      return result.map((value, i) => value + beside[i]);
    },
  };
}

/** torch.nn.LayerNorm's, which the files say nothing of. */
const EPSILON = 1e-5;

async function layerNorm(file: WeightFile): Promise<VectorLayer> {
  const [weight, bias] = [await file.readFloat32("norm.weight"), await file.readFloat32("norm.bias")];
  return {
    inputs: weight.length,
    outputs: weight.length,
    apply(vector) {
      const mean = vector.reduce((sum, value) => sum + value, 0) / vector.length;
      const variance = vector.reduce((sum, value) => sum + (value - mean) ** 2, 0) / vector.length;
      const factor = 1 / Math.sqrt(variance + EPSILON);
      return vector.map((value, i) => (value - mean) * factor * weight[i] + bias[i]);
    },
  };
}

interface Matrix {
  rows: number;
  columns: number;
  values: Float32Array;
}

async function readMatrix(file: WeightFile, name: string): Promise<Matrix> {
  const values = await file.readFloat32(name);
  const [rows, columns] = file.tensors.get(name)?.shape ?? [];
  return { rows, columns, values };
}

/** matrix · vector (+ bias). Four sums at a time: one alone would wait for its own last addition. */
function product({ rows, columns, values }: Matrix, vector: Float32Array, bias?: Float32Array): Float32Array {
  const result = new Float32Array(rows);
  const whole = columns - (columns % 4);
  for (let r = 0; r < rows; r++) {
    const row = r * columns;
    let [a, b, c, d] = [bias?.[r] ?? 0, 0, 0, 0];
    for (let i = 0; i < whole; i += 4) {
      a += values[row + i] * vector[i];
      b += values[row + i + 1] * vector[i + 1];
      c += values[row + i + 2] * vector[i + 2];
      d += values[row + i + 3] * vector[i + 3];
    }
    for (let i = whole; i < columns; i++) a += values[row + i] * vector[i];
    result[r] = a + b + (c + d);
  }
  return result;
}
