/** For each UTF-16 unit of a string, where what it was made of begins and ends in another. */
export interface Alignment {
  from: number[];
  to: number[];
}

/** How far ahead a character is looked for that the normalizer put something before. */
const AHEAD = 4;

/**
 * Which stretch of `original` each unit of `normal`, its normalized form, came from. Normalizers look at characters one
 * by one, or at letters with their marks; what they put in stands where the next character does, and what they take away
 * is nowhere.
 */
export function align(original: string, normal: string, normalize: (text: string) => string): Alignment {
  const from = new Array<number>(normal.length).fill(-1);
  const to = new Array<number>(normal.length).fill(-1);
  let at = 0;
  const take = (length: number, start: number, end: number): void => {
    from.fill(start, at, at + length);
    to.fill(end, at, at + length);
    at += length;
  };
  const forms = new Map<string, string>();
  const formOf = (piece: string): string => {
    let form = forms.get(piece);
    if (form === undefined) forms.set(piece, (form = normalize(piece)));
    return form;
  };
  for (let start = 0; start < original.length; ) {
    const end = start + ((original.codePointAt(start) ?? 0) > 0xffff ? 2 : 1);
    let next = end;
    if (start > 0 && isBlank(original[start])) {
      // Of several blanks that became one, it is the last.
      const collapsed = isBlank(original[end]) && !isBlank(normal[at + 1]);
      if (isBlank(normal[at]) && !collapsed) take(1, start, end);
    } else {
      let length = matched(normal, at, formOf(original.slice(start, end)));
      if (length === undefined) {
        MARKS.lastIndex = end;
        const whole = end + (MARKS.exec(original)?.[0].length ?? 0);
        if (whole > end) length = matched(normal, at, formOf(original.slice(start, whole)));
        if (length !== undefined) next = whole;
      }
      const collapsed = isBlank(original[start]) && isBlank(original[end]) && !isBlank(normal[at + 1]);
      if (length !== undefined && !collapsed) take(length, start, end);
    }
    start = next;
  }
  return filled({ from, to }, original.length);
}

const MARKS = /\p{M}*/uy;

/** How many units of `normal` from `at` on a piece's form takes, with what may stand before it; undefined: none do. */
function matched(normal: string, at: number, form: string): number | undefined {
  if (form === "") return 0;
  if (normal.startsWith(form, at)) return form.length;
  // Alone, a character may have been given what the text was given once.
  const bare = form.replace(BLANKS, "");
  if (bare === "") return undefined;
  for (let ahead = 0; ahead <= AHEAD; ahead++) {
    if (normal.startsWith(bare, at + ahead)) return ahead + bare.length;
    if (!isBlank(normal[at + ahead])) return undefined;
  }
  return undefined;
}

const BLANKS = /^[\p{White_Space}▁]+/u;

function isBlank(char: string | undefined): boolean {
  return char !== undefined && BLANKS.test(char);
}

/** Units that nothing was found for stand between their neighbours. */
function filled({ from, to }: Alignment, end: number): Alignment {
  for (let i = 0; i < from.length; i++) {
    if (from[i] >= 0) continue;
    let next = i;
    while (next < from.length && from[next] < 0) next++;
    from[i] = i === 0 ? 0 : to[i - 1];
    to[i] = next < from.length ? from[next] : end;
  }
  return { from, to };
}
