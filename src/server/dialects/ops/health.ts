import { z } from "zod";
import { route } from "../../route.js";

const alive = z.object({ status: z.literal("ok") }).meta({ id: "Alive" });

/** Neither needs a key: whoever asks learns nothing but that the process answers. */
const liveness = {
  method: "GET",
  scope: "public",
  tag: "Operations",
  response: alive,
  handle: async () => ({ status: "ok" }),
} as const;

export const livez = route({ ...liveness, paths: ["/livez"], summary: "say that the process answers" });

export const health = route({ ...liveness, paths: ["/health"], summary: "say that the process answers" });

export const ready = route({
  method: "GET",
  paths: ["/ready", "/readyz"],
  scope: "infer",
  tag: "Operations",
  summary: "say whether requests should be sent here",
  description:
    "503 while the models of the start are loaded, and from the moment that the server is asked to stop.",
  response: z
    .object({ status: z.enum(["starting", "ready", "draining", "stopped"]) })
    .meta({ id: "Readiness" }),
  async handle({ server }) {
    const { state } = server.lifecycle;
    if (state === "ready") return { status: state };
    return Response.json({ status: state }, { status: 503, headers: { "retry-after": "1" } });
  },
});
