// The program of a thread that makes weights: it plans the same graph as the one that started it, and is told the
// numbers of pieces.
import path from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { fromFileSystem, HfmsError } from "../errors.js";
import { openWeights } from "../weights/index.js";
import { cutPieces, writePiece } from "./pieces.js";
import { planGraph } from "./plan.js";
import type { ThreadAnswer, ThreadWork } from "./threads.js";

const { source, dtype, file, target, pieceBytes } = workerData as ThreadWork;
const opened = await openWeights(path.join(source.directory, source.weights));
const layout = (await planGraph(source, opened, dtype)).build().g.layout();
const pieces = cutPieces(layout, pieceBytes);
const answer = (message: ThreadAnswer): void => parentPort?.postMessage(message);

let last = Promise.resolve();
parentPort?.on("message", (piece: number) => {
  last = last.then(async () => {
    try {
      await writePiece(layout, pieces[piece], file);
      answer({ piece });
    } catch (error) {
      answer({ error: described(fromFileSystem(error, target)) });
    }
  });
});

/** What crosses between threads: of an error's own fields Node keeps none. */
function described(error: unknown): Extract<ThreadAnswer, { error: unknown }>["error"] {
  if (error instanceof HfmsError) {
    const { code, message, hint, param } = error;
    return { code, message, hint, param };
  }
  return {
    code: "internal_error",
    message: error instanceof Error ? (error.stack ?? error.message) : `${error}`,
  };
}
