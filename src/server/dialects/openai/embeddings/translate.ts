import type { EmbedEvent, EmbedRequest, ModelChoice } from "../../../../core/index.js";
import { itemsOf } from "../text-input.js";
import type { EmbeddingRequest, EmbeddingResponse } from "./schemas.js";

/** What the engine is asked. */
export function embedRequest(body: EmbeddingRequest, choice: ModelChoice): EmbedRequest {
  const { input, dimensions, truncate, normalize, prompt_name: promptName } = body;
  return { ...choice, input: itemsOf(input), dimensions, truncate, normalize, promptName };
}

/** The body's names for what the engine may find wrong. */
export const fieldNames = { promptName: "prompt_name" };

/** All vectors, in the order of the texts. */
export async function embeddingResponseOf(
  events: AsyncIterable<EmbedEvent>,
  { model, encoding_format: format }: EmbeddingRequest,
): Promise<EmbeddingResponse> {
  const data: EmbeddingResponse["data"] = [];
  for await (const event of events) {
    if (event.type === "embedding") {
      const { index, embedding: vector } = event;
      const embedding = format === "base64" ? base64(vector) : Array.from(vector);
      data.push({ object: "embedding", index, embedding });
    } else if (event.type === "done") return { object: "list", data, model, usage: event.usage };
  }
  throw new TypeError("an answer ended without its end");
}

/** Of little-endian float32, whatever the machine has. */
function base64(vector: Float32Array): string {
  const bytes = Buffer.allocUnsafe(vector.byteLength);
  for (const [i, value] of vector.entries()) bytes.writeFloatLE(value, i * Float32Array.BYTES_PER_ELEMENT);
  return bytes.toString("base64");
}
