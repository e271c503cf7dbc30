/**
 * Sines in the first half of each row, cosines in the second, [rows, width].
 * Source: transformers, models/marian/modeling_marian.py (MarianSinusoidalPositionalEmbedding); Pegasus has the same.
 */
export function marianPositions(rows: number, width: number): Float32Array {
  const table = new Float32Array(rows * width);
  const half = Math.ceil(width / 2);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < width; i++) {
      const angle = row / 10000 ** ((2 * Math.floor(i / 2)) / width);
      table[row * width + (i % 2 === 0 ? i / 2 : half + (i - 1) / 2)] =
        i % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
    }
  }
  return table;
}

/**
 * Sines, then cosines, of other frequencies, [rows, width]; the row of the padding token is 0.
 * Source: transformers, models/m2m_100/modeling_m2m_100.py (M2M100SinusoidalPositionalEmbedding), in float32 like there.
 */
export function fairseqPositions(rows: number, width: number, padding: number): Float32Array {
  const { fround } = Math;
  const table = new Float32Array(rows * width);
  const half = Math.floor(width / 2);
  const step = fround(-Math.log(10000) / (half - 1));
  for (let i = 0; i < half; i++) {
    const frequency = fround(Math.exp(fround(i * step)));
    for (let row = 0; row < rows; row++) {
      const angle = fround(row * frequency);
      table[row * width + i] = Math.sin(angle);
      table[row * width + half + i] = Math.cos(angle);
    }
  }
  table.fill(0, padding * width, (padding + 1) * width);
  return table;
}
