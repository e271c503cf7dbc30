/**
 * Takes the tokens away that a mask forbids: their logits become -Infinity. Bit (token & 31) of mask[token >> 5] says
 * that the token is allowed, XGrammar's layout; tokens behind the mask's end are not. Says whether it allows any.
 */
export function applyMask(logits: Float32Array, mask: Int32Array): boolean {
  const end = Math.min(logits.length, mask.length << 5);
  const words = end >> 5;
  let any = false;
  /** First token of a run of words that allow nothing: most of a grammar's mask, and filling is fast. */
  let run = -1;
  for (let word = 0; word < words; word++) {
    const allowed = mask[word];
    const first = word << 5;
    if (allowed === 0) {
      if (run < 0) run = first;
      continue;
    }
    any = true;
    if (run >= 0) logits.fill(-Infinity, run, first);
    run = -1;
    for (let forbidden = ~allowed; forbidden !== 0; forbidden &= forbidden - 1)
      logits[first + 31 - Math.clz32(forbidden & -forbidden)] = -Infinity;
  }
  if (run >= 0) logits.fill(-Infinity, run, words << 5);
  for (let token = words << 5; token < end; token++) {
    if ((mask[words] >>> (token & 31)) & 1) any = true;
    else logits[token] = -Infinity;
  }
  logits.fill(-Infinity, end);
  return any;
}
