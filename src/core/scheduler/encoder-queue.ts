/** A text that waits for the encoder. */
export interface QueuedRow {
  /** In tokens. */
  length: number;
  /** Upper bound of padded tokens in a batch that the row is part of; a longer row runs alone. */
  budget: number;
  /** Rows of one caller share what the encoder gives to each caller. */
  caller: object;
  /** Higher ones go first. */
  priority: number;
}

/**
 * What padding a row may cost to save a run, in tokens. Without any token MiniLM's run would take as long as about 20
 * tokens in fp32 and 40 in int8, a tiny model's as long as 30 (two cores).
 */
const RUN_COST = 32;

/**
 * Which waiting rows run together. Rows of similar length are grouped around one that must run, and that one is by
 * turns
 *
 *   - the one that waits longest: it is part of the next batch or of the one after, whatever else comes;
 *   - the next of the caller that has had least (start-time fair queueing, Goyal et al. 1996), higher priorities first:
 *     a single text need not wait for the thousands that another caller sent before.
 */
export class EncoderQueue<Row extends QueuedRow> {
  /** By length, then by arrival. */
  readonly #waiting: Waiting<Row>[] = [];
  /** For each caller, where its share ends: the tokens that it asked for, counted from the clock's time at its start. */
  readonly #shares = new WeakMap<object, number>();
  /** Where the share of the row begins that was last served for its share. */
  #clock = 0;
  #end = 0;
  #arrivals = 0;
  #tokens = 0;
  #turn: "age" | "share" = "age";

  /** Number of rows that wait. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Sum of their lengths. */
  get tokens(): number {
    return this.#tokens;
  }

  add(row: Row): void {
    const share = Math.max(this.#clock, this.#shares.get(row.caller) ?? 0);
    this.#shares.set(row.caller, share + row.length);
    this.#end = Math.max(this.#end, share + row.length);
    const waiting = { row, share, arrival: this.#arrivals++ };
    this.#waiting.splice(this.#firstLongerThan(row.length), 0, waiting);
    this.#tokens += row.length;
  }

  /** Takes a row out that shall not run any more. False where it does not wait. */
  remove(row: Row): boolean {
    for (let i = this.#firstLongerThan(row.length) - 1; i >= 0; i--) {
      const { row: other } = this.#waiting[i];
      if (other.length < row.length) break;
      if (other === row) return this.#takeAt(i) === row;
    }
    return false;
  }

  /** Takes the rows of the next batch out, by length; none where nothing waits. */
  take(): Row[] {
    if (this.#waiting.length === 0) return [];
    const anchor = this.#anchor();
    const batch = this.#around(anchor)
      .sort((a, b) => b - a)
      .map((i) => this.#takeAt(i))
      .reverse();
    // Who has had much while nobody else was there owes nothing to those who come later.
    if (this.#waiting.length === 0) this.#clock = this.#end;
    return batch;
  }

  #anchor(): number {
    const rows = this.#waiting;
    const before = this.#turn === "age" ? arrivedBefore : isServedBefore;
    let first = 0;
    for (let i = 1; i < rows.length; i++) if (before(rows[i], rows[first])) first = i;
    if (this.#turn === "share") this.#clock = Math.max(this.#clock, rows[first].share);
    this.#turn = this.#turn === "age" ? "share" : "age";
    return first;
  }

  /** The rows nearest in length to the anchor, for as long as their padding costs less than a run of their own. */
  #around(anchor: number): number[] {
    const rows = this.#waiting;
    const { budget } = rows[anchor].row;
    // A row that asks for smaller batches than this one is left to a batch of its own.
    const fits = (i: number, step: number): number => {
      let next = i + step;
      while (next >= 0 && next < rows.length && rows[next].row.budget < budget) next += step;
      return next;
    };
    const batch = [anchor];
    let longest = rows[anchor].row.length;
    let [below, above] = [fits(anchor, -1), fits(anchor, 1)];
    for (;;) {
      const shorter = rows[below]?.row.length;
      const longer = rows[above]?.row.length;
      const shorterFits = shorter !== undefined && (batch.length + 1) * longest <= budget;
      const longerFits = longer !== undefined && (batch.length + 1) * longer <= budget;
      const paddingBelow = shorterFits ? longest - shorter : Number.POSITIVE_INFINITY;
      const paddingAbove = longerFits ? batch.length * (longer - longest) : Number.POSITIVE_INFINITY;
      if (Math.min(paddingBelow, paddingAbove) > RUN_COST) return batch;
      if (paddingAbove <= paddingBelow) {
        batch.push(above);
        longest = rows[above].row.length;
        above = fits(above, 1);
      } else {
        batch.push(below);
        below = fits(below, -1);
      }
    }
  }

  #takeAt(index: number): Row {
    const [{ row }] = this.#waiting.splice(index, 1);
    this.#tokens -= row.length;
    return row;
  }

  #firstLongerThan(length: number): number {
    let [low, high] = [0, this.#waiting.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#waiting[middle].row.length > length) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

interface Waiting<Row> {
  row: Row;
  /** Where the row's share begins. */
  share: number;
  arrival: number;
}

function arrivedBefore<Row extends QueuedRow>(a: Waiting<Row>, b: Waiting<Row>): boolean {
  return a.arrival < b.arrival;
}

function isServedBefore<Row extends QueuedRow>(a: Waiting<Row>, b: Waiting<Row>): boolean {
  if (a.row.priority !== b.row.priority) return a.row.priority > b.row.priority;
  return a.share === b.share ? a.arrival < b.arrival : a.share < b.share;
}
