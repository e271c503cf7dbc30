import { type Automaton, automatonOf } from "./automaton.js";
import { parseRegex } from "./regex.js";

/**
 * JSON Schema's `format`s that are regular, as regular expressions for whole texts. Where a standard allows more than
 * one spelling an answer gets the usual one; every text here is valid by the standard.
 */
const day = "(0[1-9]|1\\d|2[0-8])";
/** 29 February in years that are divisible by 4, but of the hundreds only by 400. */
const leapYear = "(\\d\\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)";
const date = `(\\d{4}-(0[13578]|1[02])-(${day}|29|30|31)|\\d{4}-(0[469]|11)-(${day}|29|30)|\\d{4}-02-${day}|${leapYear}-02-29)`;
const clock = "([01]\\d|2[0-3]):[0-5]\\d";
const time = `${clock}:[0-5]\\d(\\.\\d{1,9})?(Z|[+-]${clock})`;
const octet = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const ipv4 = `${octet}(\\.${octet}){3}`;
const hextet = "[0-9a-fA-F]{1,4}";
const ipv6 = [
  `(${hextet}:){7}${hextet}`,
  ...Array.from({ length: 7 }, (_, before) => {
    const head = before === 0 ? "" : `${hextet}(:${hextet}){${before - 1}}`;
    const room = 6 - before;
    return `${head}::${room <= 0 ? `(${hextet})?` : `(${hextet}(:${hextet}){0,${room - 1}})?`}`;
  }),
].join("|");
const domain = "[a-zA-Z0-9](-?[a-zA-Z0-9]){0,20}";
const hostname = `${domain}(\\.${domain}){0,6}`;
const atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
const email = `${atom}(\\.${atom}){0,3}@${domain}(\\.${domain}){1,4}`;
const pathCharacter = "([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9a-fA-F]{2})";
const uri = `(https?|ftp)://${hostname}(:\\d{1,4})?(/${pathCharacter}*)*(\\?(${pathCharacter}|[/?])*)?(#(${pathCharacter}|[/?])*)?`;
const amount = "\\d{1,9}";
const clockParts = `T(${amount}H(${amount}M)?(${amount}S)?|${amount}M(${amount}S)?|${amount}S)`;
const dateParts = `(${amount}Y(${amount}M(${amount}D)?)?|${amount}M(${amount}D)?|${amount}D)`;

const formats: Record<string, string> = {
  date,
  time,
  "date-time": `${date}T${time}`,
  duration: `P(${amount}W|${dateParts}(${clockParts})?|${clockParts})`,
  email,
  hostname,
  ipv4,
  ipv6,
  uri,
  uuid: "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
};

export const formatNames: readonly string[] = Object.keys(formats);

const automata = new Map<string, Automaton>();

/** The texts of a format; undefined when it is not known. */
export function formatAutomaton(name: string): Automaton | undefined {
  if (!Object.hasOwn(formats, name)) return undefined;
  let automaton = automata.get(name);
  if (!automaton) {
    automaton = automatonOf(parseRegex(formats[name]));
    automata.set(name, automaton);
  }
  return automaton;
}
