// A process that embeds with transformers.js when its parent says so: embed.ts starts it with fork(). The time is taken in
// here, so the way between the processes does not count.
import { env, pipeline } from "@huggingface/transformers";

const [modelsDirectory, model, threads] = process.argv.slice(2);
env.allowRemoteModels = false;
env.localModelPath = modelsDirectory;

const extract = await pipeline("feature-extraction", model, {
  dtype: "fp32",
  device: "cpu",
  session_options: { intraOpNumThreads: Number(threads) },
});
process.on("message", async ({ texts, batch }) => {
  const start = performance.now();
  const vectors = [];
  for (let i = 0; i < texts.length; i += batch) {
    const output = await extract(texts.slice(i, i + batch), { pooling: "mean", normalize: true });
    const [rows, width] = output.dims;
    for (let r = 0; r < rows; r++) vectors.push(output.data.slice(r * width, (r + 1) * width));
    output.dispose();
  }
  process.send({ ms: performance.now() - start, vectors });
});
process.send({ ready: true, version: env.version });
