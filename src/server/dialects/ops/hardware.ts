import { z } from "zod";
import { route } from "../../route.js";

export const hardware = route({
  method: "GET",
  paths: ["/v1/hardware"],
  scope: "infer",
  tag: "Operations",
  summary: "show devices and memory, and what hfms can use of them",
  description: "The same document as `hfms hardware --json`.",
  response: z.looseObject({}).meta({ id: "HardwareReport" }),
  handle: ({ server }) => server.engine.hardware(),
});
