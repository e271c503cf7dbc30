import { HfmsError } from "../errors.js";
import type { ModelWeights } from "../graph/model-weights.js";

/**
 * What the configuration says of the weights, by module (a linear layer, a table, a norm): the shape of its `weight`,
 * [out, in]; the first number is also the length of its `bias`. `N` stands for the layer, `undefined` for a size that
 * only the file knows.
 */
export type Shapes = Record<string, readonly (number | undefined)[]>;

/** Refuses weights that don't fit the configuration, while tensors and sizes can still be named. */
export function checkShapes(weights: ModelWeights, shapes: Shapes, source: string): void {
  const check = (tensor: string, expected: Shapes[string]): void => {
    if (!weights.has(tensor)) return; // the graph knows whether it needs it
    const actual = weights.shape(tensor);
    const fits =
      actual.length === expected.length && expected.every((n, i) => (n ?? actual[i]) === actual[i]);
    if (fits) return;
    const asked = expected.map((size) => size ?? "…").join(", ");
    throw new HfmsError(
      "corrupt_file",
      `${source}: ${tensor} is [${actual.join(", ")}], but the configuration asks for [${asked}]`,
      { hint: "one of the model's files is damaged or belongs to another model; pull it again" },
    );
  };
  for (const [module, shape] of Object.entries(shapes)) {
    for (const name of modules(module, weights)) {
      check(`${name}.weight`, shape);
      check(`${name}.bias`, shape.slice(0, 1));
    }
  }
}

function* modules(module: string, weights: ModelWeights): Iterable<string> {
  if (!module.includes(".N.")) return yield module;
  for (let layer = 0; ; layer++) {
    const name = module.replace(".N.", `.${layer}.`);
    if (!weights.has(`${name}.weight`)) return;
    yield name;
  }
}
