import * as Flags from "@oclif/core/flags";
import { aggregations } from "../core/index.js";

const helpGroup = "ENTITIES AND ANSWERS IN A TEXT";

/** The flags of `run` for models that find something in a text. */
export const headFlags = {
  aggregation: Flags.option({
    helpGroup,
    options: aggregations,
    summary: "how labels of tokens become entities; simple joins neighbours, none keeps tokens",
  })(),
  context: Flags.string({
    helpGroup,
    helpValue: "<text>",
    summary: "the text that answers the question; with --file it is the file",
  }),
};
