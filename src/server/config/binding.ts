import { isIP } from "node:net";
import { HfmsError } from "../../core/index.js";
import type { KeyStore } from "../keys/key-store.js";
import type { ServerConfig } from "./schema.js";

/** Throws invalid_config where the server would let other machines in without asking for a key. */
export function requireSafeBinding(
  { host, insecure }: Pick<ServerConfig, "host" | "insecure">,
  keys: Pick<KeyStore, "empty">,
): void {
  if (isLoopback(host) || insecure || !keys.empty) return;
  throw new HfmsError("invalid_config", `host ${host} lets other machines in, and there is no API key`, {
    hint: "make one with `hfms keys create`, or add --insecure if everybody may use this server",
    param: "host",
  });
}

/** Does the address belong to this machine alone? (RFC 5735, RFC 4291) A name other than localhost may be anything. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  if (name === "localhost" || name.endsWith(".localhost")) return true;
  if (isIP(name) === 4) return name.startsWith("127.");
  if (isIP(name) !== 6) return false;
  // Written out, as URLs do it: 0:0:0:0:0:0:0:1 is ::1, and ::ffff:127.0.0.1 is ::ffff:7f00:1.
  const { hostname } = new URL(`http://[${name.replace(/%.*$/, "")}]`);
  return hostname === "[::1]" || /^\[::ffff:7f[\da-f]{2}:/.test(hostname);
}
