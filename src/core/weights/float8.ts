/**
 * float32 of each bit pattern of the 8-bit floats. Source: OCP 8-bit Floating Point Specification (OFP8). E4M3, PyTorch's
 * float8_e4m3fn, has no infinity and one NaN for each sign; E5M2 is the upper half of IEEE 754's binary16. E8M0 has powers of
 * two alone, for scales.
 */
export const float8Tables = {
  F8_E4M3: tableOf({ exponentBits: 4, bias: 7, isFinite: (code) => (code & 0x7f) !== 0x7f }),
  F8_E5M2: tableOf({ exponentBits: 5, bias: 15, isFinite: (code) => (code & 0x7c) !== 0x7c }),
  F8_E8M0: Float32Array.from({ length: 256 }, (_, code) => (code === 255 ? Number.NaN : 2 ** (code - 127))),
};

function tableOf(format: {
  exponentBits: number;
  bias: number;
  isFinite: (code: number) => boolean;
}): Float32Array {
  const fractionBits = 7 - format.exponentBits;
  const steps = 2 ** fractionBits;
  return Float32Array.from({ length: 256 }, (_, code) => {
    const sign = code & 0x80 ? -1 : 1;
    const exponent = (code & 0x7f) >> fractionBits;
    const fraction = code & (steps - 1);
    if (!format.isFinite(code))
      return format.exponentBits === 5 && fraction === 0 ? sign * Infinity : Number.NaN;
    const value = exponent === 0 ? fraction * 2 : steps + fraction;
    return sign * value * 2 ** (exponent - format.bias - fractionBits);
  });
}
