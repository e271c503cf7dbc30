/** 98.1 MB: decimal units, as the Hub and disk makers count. */
export function formatBytes(bytes: number): string {
  return scaled(bytes, 1000, [" B", " kB", " MB", " GB", " TB", " PB"]);
}

/** 135M, 1.24B: how model cards count parameters. */
export function formatCount(count: number): string {
  return scaled(count, 1000, ["", "K", "M", "B", "T"]);
}

/** int8; int8 with int8 cache. */
export function formatDtype({ dtype, kvCacheDtype }: { dtype: string; kvCacheDtype?: string }): string {
  return kvCacheDtype === undefined ? dtype : `${dtype} with ${kvCacheDtype} cache`;
}

/** 12 s, 3 min 5 s, 2 h 10 min. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return joined(Math.floor(whole / 60), "min", whole % 60, "s");
  const minutes = Math.round(whole / 60);
  return joined(Math.floor(minutes / 60), "h", minutes % 60, "min");
}

/** 850 ms, 1.24 s. */
export function formatMilliseconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

/** "just now", "5 minutes ago", "3 days ago". */
export function formatAge(then: Date, now: Date): string {
  const seconds = Math.max(0, (now.getTime() - then.getTime()) / 1000);
  if (seconds < 60) return "just now";
  for (const [unit, size, next] of ages) {
    const count = Math.floor(seconds / size);
    if (count < next) return `${count} ${unit}${count === 1 ? "" : "s"} ago`;
  }
  return then.toISOString().slice(0, 10);
}

const ages = [
  ["minute", 60, 60],
  ["hour", 3600, 24],
  ["day", 86_400, 60],
] as const;

function scaled(value: number, base: number, units: string[]): string {
  let rest = value;
  let unit = 0;
  // 999.95 and more would be printed as 1000.
  while (rest >= base * 0.999_95 && unit < units.length - 1) {
    rest /= base;
    unit++;
  }
  const digits = unit === 0 || rest >= 99.95 ? 0 : rest >= 9.995 ? 1 : 2;
  return rest.toFixed(digits).replace(/\.0+$|(\.\d*[1-9])0+$/, "$1") + units[unit];
}

function joined(big: number, bigUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${big} ${bigUnit}` : `${big} ${bigUnit} ${small} ${smallUnit}`;
}
