import { z } from "zod";

type Kinds = readonly [z.core.$ZodTypeDiscriminable, ...z.core.$ZodTypeDiscriminable[]];

/** One of several kinds of objects, told apart by `type`. Another kind is refused by its name, with the hint. */
export function kindOf<const T extends Kinds>(options: T, hint: string) {
  return z.discriminatedUnion("type", options, {
    error: ({ code, input }) => {
      if (code !== "invalid_union") return undefined;
      const { type } = input as { type?: unknown };
      if (type === undefined) return `is missing: ${hint}`;
      return `${JSON.stringify(type).slice(0, 100)} is not supported here: ${hint}`;
    },
  });
}
