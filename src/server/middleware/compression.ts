import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";

/** Less than that is one packet or two anyway. */
const MIN_BYTES = 2048;

const compress = promisify(gzip);

/**
 * The same response in fewer bytes, for callers that say they can read it. Event streams go as they come: a compressor
 * would hold tokens back. Compressing runs on a thread of its own.
 */
export async function compressed(response: Response, request: Request): Promise<Response> {
  const { headers } = response;
  const accepts = /(^|,)\s*gzip\s*(;\s*q=(?!0(\.0*)?\s*(,|$))|,|$)/i.test(
    request.headers.get("accept-encoding") ?? "",
  );
  const type = headers.get("content-type") ?? "";
  const text = /^(application\/json|text\/(?!event-stream)|image\/svg)/.test(type);
  if (!accepts || !text || !response.body || headers.has("content-encoding")) return response;
  const bytes = await response.arrayBuffer();
  const { status } = response;
  if (bytes.byteLength < MIN_BYTES) return new Response(bytes, { status, headers });
  const small = await compress(bytes, { level: constants.Z_BEST_SPEED });
  const changed = new Headers(headers);
  changed.delete("content-length");
  changed.set("content-encoding", "gzip");
  changed.append("vary", "accept-encoding");
  return new Response(small, { status, headers: changed });
}
