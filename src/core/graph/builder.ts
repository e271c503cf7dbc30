import { type ElementType, elementCount, elementTypes } from "../tensor.js";
import type { GraphFace } from "./face.js";
import { type Attributes, type Dimension, encodeModel, type GraphProto, type TensorProto } from "./proto.js";

/** The name of a tensor in the graph: what a block takes and returns. */
export type Value = string & { readonly __value: unique symbol };

export interface WeightSpec {
  name: string;
  type: ElementType;
  shape: readonly number[];
}

/**
 * Weights that are made together, such as the blocks and the scales of one quantized matrix. Chunks follow each other
 * along the first axis, so a matrix of any size passes through a few megabytes of memory.
 */
export interface WeightStream {
  specs: WeightSpec[];
  /**
   * For each spec its next bytes, in the order of `specs`. Rows are asked for only where the stream says that it has
   * them; otherwise all bytes come.
   */
  chunks(rows?: RowRange): AsyncIterable<Uint8Array[]>;
  /** Every spec has as many rows, and any of them can be made without the others: several threads may share the work. */
  rows?: number;
}

export interface RowRange {
  first: number;
  count: number;
}

const MICROSOFT = "com.microsoft";
const OPSETS = [
  { domain: "", version: 21 },
  { domain: MICROSOFT, version: 1 },
];
const IR_VERSION = 10;

interface Shared {
  graph: GraphProto;
  /** Weights of this graph and of those beside it. */
  streams: WeightStream[];
  names: Set<string>;
  /** Names of the weights that this graph declares. */
  own: Set<string>;
  constants: Map<string, Value>;
  /** Weights that stand for another one's bytes under another shape. */
  views: Map<string, string>;
  /** Other graphs over the same weights, by name. */
  beside: Map<string, GraphBuilder>;
  face?: GraphFace;
}

/**
 * Writes an ONNX graph. Names follow one law, so that every view of the graph explains itself: a node is
 * /model/layers.0/attn/qkv_proj/MatMulNBits, its first output <node>/output_0, a constant /model/constants/…
 */
export class GraphBuilder {
  readonly #shared: Shared;
  readonly #path: string;
  /** A weight that is declared again is the one of before. */
  readonly #repeats: boolean;

  /** @param options face: other inputs and outputs for the same graph. */
  constructor(options: Shared | { face?: GraphFace } = {}, path = "/model", repeats = false) {
    this.#shared =
      "graph" in options
        ? options
        : {
            graph: { name: "hfms", nodes: [], initializers: [], inputs: [], outputs: [] },
            streams: [],
            names: new Set(),
            own: new Set(),
            constants: new Map(),
            views: new Map(),
            beside: new Map(),
            face: options.face,
          };
    this.#path = path;
    this.#repeats = repeats;
  }

  /**
   * Another graph over the same weights, with inputs and nodes of its own: an encoder beside its decoder. A weight that
   * both declare is stored once.
   */
  graph(name: string): GraphBuilder {
    const known = this.#shared.beside.get(name);
    if (known) return known;
    const { streams, views, beside } = this.#shared;
    const graph = { name: "hfms", nodes: [], initializers: [], inputs: [], outputs: [] };
    const fresh = { graph, streams, views, beside, names: new Set<string>(), own: new Set<string>() };
    const builder = new GraphBuilder({ ...fresh, constants: new Map() });
    beside.set(name, builder);
    return builder;
  }

  /** The graphs that `graph` gave, by name. */
  get graphs(): ReadonlyMap<string, GraphBuilder> {
    return this.#shared.beside;
  }

  /** The same graph, writing one level deeper: `g.at("layers.0").at("attn")`. */
  at(scope: string): GraphBuilder {
    return new GraphBuilder(this.#shared, `${this.#path}/${scope}`, this.#repeats);
  }

  /** The same graph, where a weight that is declared again is the one of before: for layers that share their parameters. */
  repeating(): GraphBuilder {
    return new GraphBuilder(this.#shared, this.#path, true);
  }

  /** The full name of something in this scope: `/model/layers.0/attn/qkv_proj`. */
  scope(name: string): string {
    return `${this.#path}/${name}`;
  }

  input(name: string, type: ElementType, shape: readonly Dimension[]): Value {
    const { graph, face } = this.#shared;
    const made = face?.input(this.#root(), name, type);
    if (made) return made;
    graph.inputs.push({ name, type, shape: face?.dimensions(name, shape) ?? shape });
    return name as Value;
  }

  /** Declares a value, by the name it was given, as one of the graph's outputs. */
  output(value: Value, type: ElementType, shape: readonly Dimension[]): void {
    const { graph, face } = this.#shared;
    if (face?.output(this.#root(), value, type, shape)) return;
    graph.outputs.push({ name: value, type, shape: face?.dimensions(value, shape) ?? shape });
  }

  /** Adds a node with one output and returns it. `as` names the output, for the graph's own outputs. */
  node(op: string, inputs: (Value | undefined)[], attributes: Attributes = {}, as?: string): Value {
    return this.nodes(op, inputs, attributes, [as])[0];
  }

  /** Adds a node with several outputs; `null` leaves an optional one out, `undefined` gives it the usual name. */
  nodes(
    op: string,
    inputs: (Value | undefined)[],
    attributes: Attributes,
    outputs: (string | null | undefined)[],
  ): Value[] {
    const name = this.#unique(`${this.#path}/${op}`);
    const values = outputs.map(
      (output, i) => (output === null ? "" : this.#outputName(output, `${name}/output_${i}`)) as Value,
    );
    this.#shared.graph.nodes.push({
      name,
      op,
      domain: microsoftOps.has(op) ? MICROSOFT : "",
      inputs: trimmed(inputs.map((input) => input ?? "")),
      outputs: values,
      attributes,
    });
    return values;
  }

  /**
   * An If: one of two graphs runs, and gives one value. They see every value before them; what they declare (weights,
   * constants) is the whole graph's.
   */
  choice(
    condition: Value,
    branches: { met(g: GraphBuilder): Value; otherwise(g: GraphBuilder): Value },
    of: { type: ElementType; shape: readonly Dimension[] },
  ): Value {
    const branch = (name: string, build: (g: GraphBuilder) => Value): { graph: GraphProto } => {
      const { initializers } = this.#shared.graph;
      // Constants go where other branches find them, too.
      const graph: GraphProto = { name, nodes: [], initializers, inputs: [], outputs: [] };
      const value = build(new GraphBuilder({ ...this.#shared, graph }, this.#path, this.#repeats));
      graph.outputs.push({ name: value, ...of });
      return { graph: { ...graph, initializers: [] } };
    };
    const then_branch = branch("then", branches.met);
    return this.node("If", [condition], { then_branch, else_branch: branch("else", branches.otherwise) });
  }

  /** A small constant, written into the graph itself; equal constants are one. */
  constant(type: ElementType, shape: readonly number[], data: readonly number[]): Value {
    const key = `/model/constants/${type.toUpperCase()}/[${shape}]/[${data}]`;
    let value = this.#shared.constants.get(key);
    if (!value) {
      const { array } = elementTypes[type];
      const numbers =
        type === "int64" ? BigInt64Array.from(data, BigInt) : new (array as Float32ArrayConstructor)(data);
      const raw = new Uint8Array(numbers.buffer, 0, numbers.byteLength);
      this.#shared.graph.initializers.push({ name: key, type, shape, raw });
      value = key as Value;
      this.#shared.constants.set(key, value);
    }
    return value;
  }

  /** A small table of numbers that nobody shares, written into the graph itself under this scope's name. */
  table(name: string, shape: readonly number[], data: Float32Array): Value {
    const full = this.#unique(this.scope(name));
    const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.#shared.graph.initializers.push({ name: full, type: "float32", shape, raw });
    return full as Value;
  }

  /** Declares weights that `convert` will stream into the file beside the graph. */
  weights(stream: WeightStream): Value[] {
    const { names, own, streams } = this.#shared;
    if (this.#repeats && stream.specs.every(({ name }) => own.has(name)))
      return stream.specs.map(({ name }) => name as Value);
    for (const spec of stream.specs) {
      if (names.has(spec.name)) throw new Error(`weight ${spec.name} is declared twice`);
      names.add(spec.name);
      own.add(spec.name);
    }
    const [{ name: first }] = stream.specs;
    if (!streams.some(({ specs }) => specs[0].name === first)) streams.push(stream);
    return stream.specs.map((spec) => spec.name as Value);
  }

  /** The same bytes under another name and shape: a table that one node gathers from and another multiplies with. */
  view(of: Value, name: string, shape: readonly number[]): Value {
    this.#shared.own.add(name);
    if (this.#shared.views.has(name)) return name as Value;
    this.#shared.views.set(name, of);
    const spec = this.#spec(of);
    this.#shared.streams.push({ specs: [{ name, type: spec.type, shape }], chunks: async function* () {} });
    return name as Value;
  }

  /** All weight streams with their places in the file; offsets are aligned for memory mapping. */
  layout(): { streams: { stream: WeightStream; offsets: number[] }[]; size: number } {
    const placed = new Map<string, number>();
    let size = 0;
    const streams = this.#shared.streams
      .filter((stream) => !this.#shared.views.has(stream.specs[0].name))
      .map((stream) => ({
        stream,
        offsets: stream.specs.map((spec) => {
          const offset = Math.ceil(size / WEIGHT_ALIGNMENT) * WEIGHT_ALIGNMENT;
          placed.set(spec.name, offset);
          size = offset + byteLength(spec);
          return offset;
        }),
      }));
    return { streams, size };
  }

  /** The model file. Weights are said to stand in `location`, at the offsets of `layout`. */
  encode(location: string, metadata: Record<string, string>): Uint8Array {
    const offsets = new Map<string, number>();
    for (const { stream, offsets: places } of this.layout().streams) {
      for (const [i, spec] of stream.specs.entries()) offsets.set(spec.name, places[i]);
    }
    const weights: TensorProto[] = this.#shared.streams.flatMap(({ specs }) =>
      specs
        .filter(({ name }) => this.#shared.own.has(name))
        .map((spec) => {
          const offset = offsets.get(this.#shared.views.get(spec.name) ?? spec.name) as number;
          return { ...spec, external: { location, offset, length: byteLength(spec) } };
        }),
    );
    const graph = { ...this.#shared.graph, initializers: [...this.#shared.graph.initializers, ...weights] };
    return encodeModel({
      irVersion: IR_VERSION,
      producerName: "hfms",
      producerVersion: metadata.version ?? "",
      opsets: OPSETS,
      graph,
      metadata,
    });
  }

  #spec(value: Value): WeightSpec {
    for (const { specs } of this.#shared.streams) {
      const found = specs.find((spec) => spec.name === value);
      if (found) return found;
    }
    throw new Error(`${value} is no weight`);
  }

  #root(): GraphBuilder {
    return new GraphBuilder(this.#shared);
  }

  #outputName(asked: string | undefined, usual: string): string {
    if (asked === undefined) return usual;
    return this.#shared.face?.inner(asked) ?? asked;
  }

  #unique(name: string): string {
    let unique = name;
    for (let i = 1; this.#shared.names.has(unique); i++) unique = `${name}_${i}`;
    this.#shared.names.add(unique);
    return unique;
  }
}

/** A page of memory: ORT maps external data into memory from a page's start. */
const WEIGHT_ALIGNMENT = 4096;

function byteLength(spec: WeightSpec): number {
  return elementCount(spec.shape) * elementTypes[spec.type].bytes;
}

function trimmed(inputs: string[]): string[] {
  let end = inputs.length;
  while (end > 0 && inputs[end - 1] === "") end--;
  return inputs.slice(0, end);
}

/** Fused operators of ONNX Runtime (docs/ContribOperators.md); everything else is standard ONNX. */
const microsoftOps = new Set([
  "BiasGelu",
  "EmbedLayerNormalization",
  "FastGelu",
  "FusedMatMul",
  "Gelu",
  "GatherBlockQuantized",
  "GroupQueryAttention",
  "MatMulIntegerToFloat",
  "MatMulNBits",
  "MultiHeadAttention",
  "QuickGelu",
  "RotaryEmbedding",
  "SkipLayerNormalization",
  "SkipSimplifiedLayerNormalization",
]);
