import { HfmsError } from "../core/index.js";
import type { Outcome } from "./activity.js";

/** Any error as one of the table. What the core stopped has the reason of its signal. */
export function explained(thrown: unknown, signal?: AbortSignal): HfmsError {
  if (thrown instanceof HfmsError && thrown.code !== "aborted") return thrown;
  if (signal?.aborted) {
    const { reason } = signal;
    if (reason instanceof HfmsError) return reason;
    return new HfmsError("aborted", "the client left", { cause: thrown });
  }
  if (thrown instanceof HfmsError) return thrown;
  return new HfmsError("internal_error", "something went wrong here that hfms did not expect", {
    hint: "the server's log says more",
    cause: thrown,
  });
}

export function outcomeOf({ code, status }: HfmsError): Outcome {
  if (code === "aborted") return "cancelled";
  return status < 500 ? "refused" : "failed";
}
