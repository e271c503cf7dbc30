import { z } from "zod";

export const modelSchema = z
  .object({
    id: z.string(),
    object: z.literal("model"),
    created: z.int().describe("When it came to this machine, in seconds since 1970."),
    owned_by: z.string().describe("The organisation of its Hub id."),
    status: z
      .enum(["loaded", "loading", "available", "remote"])
      .describe(
        "In memory, on its way there, on the disk, or on the Hub: a request that names it brings it here.",
      ),
    aliases: z.array(z.string()).describe("Other names that requests may use."),
    capabilities: z
      .array(z.enum(["chat", "completions", "embeddings", "rerank", "classify", "tools"]))
      .describe("What it can be asked; `tools`: its chat template shows them to the model."),
    max_model_len: z.int().optional().describe("Tokens that it has room for, answer included."),
    commit: z.string().optional().describe("Commit of the Hub, or a key of the files' content."),
    dtype: z.string().optional().describe("Number format of its weights, once it is loaded or built."),
    device: z.string().optional().describe("What computes it, once it is loaded."),
    source: z.enum(["hub", "local", "package"]).optional(),
    size: z.int().optional().describe("Bytes of its files on the disk."),
  })
  .meta({ id: "Model" });

export type Model = z.output<typeof modelSchema>;

export const modelList = z.object({ object: z.literal("list"), data: z.array(modelSchema) });

export const deletedModel = z.object({
  id: z.string(),
  object: z.literal("model"),
  deleted: z.literal(true).describe("From memory. Its files stay."),
  unloaded: z.int().describe("Extension: how many there were, one for each number format and device."),
});
