/** float32 of each of the 65,536 half-precision bit patterns (256 KiB: it stays in the processor's second cache). */
export function halfTable(): Float32Array {
  if (table !== undefined) return table;
  table = new Float32Array(65_536);
  for (let bits = 0; bits < 65_536; bits++) table[bits] = halfToNumber(bits);
  return table;
}

let table: Float32Array | undefined;

// sign 1 bit, exponent 5, fraction 10 (IEEE 754 binary16).
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}
