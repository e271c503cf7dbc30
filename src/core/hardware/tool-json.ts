/**
 * Vendor tools print JSON in several shapes: warnings before it, numbers as text ("24560 MB"), as
 * `{"value": 24560, "unit": "MB"}` or as "N/A". These readers take all of them and never throw.
 */
export function parseToolJson(text: string): unknown {
  const start = text.search(/[{[]/);
  if (start < 0) return undefined;
  try {
    return JSON.parse(text.slice(start));
  } catch {
    return undefined;
  }
}

export function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

export function asArray(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A text that says something: tools write "N/A", "[N/A]" or "[Not Supported]" where they know nothing. */
export function asText(value: unknown): string | undefined {
  if (typeof value !== "string" && typeof value !== "number") return undefined;
  const text = String(value).trim();
  return text === "" || /^\[.*\]$|^n\/?a$|^unknown$|^none$/i.test(text) ? undefined : text;
}

/** A finite number ≥ 0 out of 12, "12", "12 MB" or `{value: 12}`; undefined for anything else. */
export function asNumber(value: unknown): number | undefined {
  const plain = asRecord(value).value ?? value;
  const number =
    typeof plain === "number"
      ? plain
      : typeof plain === "string"
        ? Number(/^\s*(\d+(?:\.\d+)?)/.exec(plain)?.[1] ?? Number.NaN)
        : Number.NaN;
  return Number.isFinite(number) && number >= 0 ? number : undefined;
}

const UNITS: Record<string, number> = { b: 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30, tb: 2 ** 40 };

/**
 * Bytes out of "8 GB", "1536 MB" or `{value: 24560, unit: "MB"}`. The tools write MB and mean 2^20.
 * @param unit taken where the value names none
 */
export function asBytes(value: unknown, unit = "b"): number | undefined {
  const number = asNumber(value);
  if (number === undefined) return undefined;
  const named =
    asText(asRecord(value).unit) ??
    (typeof value === "string" ? /\d\s*([kmgt]?i?b)\s*$/i.exec(value)?.[1] : undefined);
  const factor = UNITS[(named ?? unit).toLowerCase().replace("ib", "b")];
  return factor === undefined ? undefined : Math.round(number * factor);
}

/** A fraction out of a percentage; tools report up to 100, rarely a little more. */
export function asFraction(percent: unknown): number | undefined {
  const number = asNumber(percent);
  return number === undefined ? undefined : Math.min(1, number / 100);
}
