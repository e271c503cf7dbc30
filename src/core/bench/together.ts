/** Starts all at once and waits for all. When one fails the others are stopped, and its error is thrown. */
export async function together<T>(
  work: ((signal: AbortSignal) => Promise<T>)[],
  signal?: AbortSignal,
): Promise<T[]> {
  const failed = new AbortController();
  const either = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  let first: { error: unknown } | undefined;
  const results = await Promise.all(
    work.map((one) =>
      one(either).catch((error: unknown) => {
        first ??= { error };
        failed.abort(error);
        return undefined;
      }),
    ),
  );
  if (first) throw first.error;
  return results as T[];
}
