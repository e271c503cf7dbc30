import type { z } from "zod";
import { route } from "../../../route.js";
import { unlessStopped } from "../../../unless-stopped.js";
import { findModel, listModels } from "./catalogue.js";
import { deletedModel, modelList, modelSchema } from "./schemas.js";

export const models = route({
  method: "GET",
  paths: ["/v1/models"],
  scope: "infer",
  tag: "Models",
  summary: "list the models that requests may name",
  description:
    "Those of the configuration first, then those on the disk and in memory. With `model_access` any, every other model " +
    "of the Hub may be named too.",
  response: modelList,
  async handle({ server }): Promise<z.output<typeof modelList>> {
    return { object: "list", data: await listModels(server) };
  },
});

export const model = route({
  method: "GET",
  paths: ["/v1/models/**:id"],
  scope: "infer",
  tag: "Models",
  summary: "describe a model",
  description: "By any of its names. A skill whose model is not on the disk has the status `remote`.",
  response: modelSchema,
  async handle({ params, server }): Promise<z.output<typeof modelSchema>> {
    const { unload: _, ...found } = await findModel(params.id, server);
    return found;
  },
});

export const deleteModel = route({
  method: "DELETE",
  paths: ["/v1/models/**:id"],
  scope: "admin",
  tag: "Models",
  summary: "take a model out of memory",
  description:
    "When the requests that use it have ended. Its files stay, and the next request loads it again; `hfms rm` deletes files.",
  response: deletedModel,
  async handle({ params, server, signal }): Promise<z.output<typeof deletedModel>> {
    const { id, unload } = await findModel(params.id, server);
    const unloaded = await unlessStopped(server.engine.unload(unload), signal);
    return { id, object: "model", deleted: true, unloaded };
  },
});
