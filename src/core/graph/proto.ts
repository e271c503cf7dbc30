import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { type ElementType, elementTypes } from "../tensor.js";

/** The parts of onnx.proto3 (github.com/onnx/onnx) that hfms writes; the numbers below are its field numbers. */
export interface ModelProto {
  irVersion: number;
  producerName: string;
  producerVersion: string;
  opsets: { domain: string; version: number }[];
  graph: GraphProto;
  metadata: Record<string, string>;
}

export interface GraphProto {
  name: string;
  nodes: NodeProto[];
  initializers: TensorProto[];
  inputs: ValueInfo[];
  outputs: ValueInfo[];
}

export interface NodeProto {
  name: string;
  op: string;
  domain: string;
  /** An optional input that is left out is the empty string. */
  inputs: string[];
  outputs: string[];
  attributes: Attributes;
}

/** A whole number becomes an INT; write `{ float: 1 }` for a FLOAT that happens to be whole. */
export type Attributes = Record<
  string,
  number | string | number[] | { float: number } | { graph: GraphProto }
>;

export interface TensorProto {
  name: string;
  type: ElementType;
  shape: readonly number[];
  /** Little-endian bytes in the file itself, for small constants … */
  raw?: Uint8Array;
  /** … or where they stand in a file beside the model. */
  external?: { location: string; offset: number; length: number };
}

/** A string is the name of a dimension that is known at run time only. */
export type Dimension = number | string;

export interface ValueInfo {
  name: string;
  type: ElementType;
  shape: readonly Dimension[];
}

const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, graph: 5, ints: 7 };
const EXTERNAL = 1;

export function encodeModel(model: ModelProto): Uint8Array {
  const w = new BinaryWriter();
  int(w, 1, model.irVersion);
  string(w, 2, model.producerName);
  string(w, 3, model.producerVersion);
  message(w, 7, () => writeGraph(w, model.graph));
  for (const { domain, version } of model.opsets) {
    message(w, 8, () => {
      string(w, 1, domain);
      int(w, 2, version);
    });
  }
  for (const [key, value] of Object.entries(model.metadata)) message(w, 14, () => writeEntry(w, key, value));
  return w.finish();
}

function writeGraph(w: BinaryWriter, graph: GraphProto): void {
  for (const node of graph.nodes) message(w, 1, () => writeNode(w, node));
  string(w, 2, graph.name);
  for (const tensor of graph.initializers) message(w, 5, () => writeTensor(w, tensor));
  for (const input of graph.inputs) message(w, 11, () => writeValueInfo(w, input));
  for (const output of graph.outputs) message(w, 12, () => writeValueInfo(w, output));
}

function writeNode(w: BinaryWriter, node: NodeProto): void {
  for (const input of node.inputs) string(w, 1, input);
  for (const output of node.outputs) string(w, 2, output);
  string(w, 3, node.name);
  string(w, 4, node.op);
  for (const [name, value] of Object.entries(node.attributes))
    message(w, 5, () => writeAttribute(w, name, value));
  if (node.domain) string(w, 7, node.domain);
}

function writeAttribute(w: BinaryWriter, name: string, value: Attributes[string]): void {
  string(w, 1, name);
  if (Array.isArray(value)) {
    for (const item of value) int(w, 8, item);
    int(w, 20, ATTRIBUTE_TYPE.ints);
  } else if (typeof value === "string") {
    string(w, 4, value);
    int(w, 20, ATTRIBUTE_TYPE.string);
  } else if (typeof value === "object" && "graph" in value) {
    message(w, 6, () => writeGraph(w, value.graph));
    int(w, 20, ATTRIBUTE_TYPE.graph);
  } else if (typeof value === "number" && Number.isInteger(value)) {
    int(w, 3, value);
    int(w, 20, ATTRIBUTE_TYPE.int);
  } else {
    w.tag(2, 5).float(typeof value === "number" ? value : value.float);
    int(w, 20, ATTRIBUTE_TYPE.float);
  }
}

function writeTensor(w: BinaryWriter, tensor: TensorProto): void {
  for (const dimension of tensor.shape) int(w, 1, dimension);
  int(w, 2, elementTypes[tensor.type].onnx);
  string(w, 8, tensor.name);
  if (tensor.raw) w.tag(9, 2).bytes(tensor.raw);
  if (tensor.external) {
    const { location, offset, length } = tensor.external;
    message(w, 13, () => writeEntry(w, "location", location));
    message(w, 13, () => writeEntry(w, "offset", String(offset)));
    message(w, 13, () => writeEntry(w, "length", String(length)));
    int(w, 14, EXTERNAL);
  }
}

function writeValueInfo(w: BinaryWriter, value: ValueInfo): void {
  string(w, 1, value.name);
  message(w, 2, () =>
    message(w, 1, () => {
      int(w, 1, elementTypes[value.type].onnx);
      message(w, 2, () => {
        for (const dimension of value.shape) {
          message(w, 1, () =>
            typeof dimension === "number" ? int(w, 1, dimension) : string(w, 2, dimension),
          );
        }
      });
    }),
  );
}

function writeEntry(w: BinaryWriter, key: string, value: string): void {
  string(w, 1, key);
  string(w, 2, value);
}

function int(w: BinaryWriter, field: number, value: number): void {
  w.tag(field, 0).int64(value);
}

function string(w: BinaryWriter, field: number, value: string): void {
  w.tag(field, 2).string(value);
}

function message(w: BinaryWriter, field: number, write: () => void): void {
  w.tag(field, 2).fork();
  write();
  w.join();
}
