/** What one of several generators said. */
interface Said<E> {
  source: number;
  event: E;
}

/**
 * What several generators yield, as it comes. Each is asked for more when its last event was taken. An error of one, or
 * leaving early, stops all: each gets a signal of its own making.
 */
export async function* interleaved<E>(
  sources: readonly ((signal: AbortSignal) => AsyncGenerator<E>)[],
  signal: AbortSignal,
): AsyncGenerator<Said<E>> {
  const stop = new AbortController();
  const all = AbortSignal.any([signal, stop.signal]);
  const generators = sources.map((begin) => begin(all));
  const arrived: ({ source: number } & ({ step: IteratorResult<E> } | { error: unknown }))[] = [];
  let wake = (): void => {};
  const ask = async (source: number): Promise<void> => {
    try {
      arrived.push({ source, step: await generators[source].next() });
    } catch (error) {
      arrived.push({ source, error });
    }
    wake();
  };
  for (const source of generators.keys()) void ask(source);
  try {
    for (let open = generators.length; open > 0; ) {
      const next = arrived.shift();
      if (!next) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      } else if ("error" in next) throw next.error;
      else if (next.step.done) open--;
      else {
        yield { source: next.source, event: next.step.value };
        void ask(next.source);
      }
    }
  } finally {
    stop.abort();
    await Promise.allSettled(generators.map((generator) => generator.return(undefined)));
  }
}
