import { HfmsError } from "../../core/index.js";
import type { KeyStore, StoredKey } from "../keys/key-store.js";
import type { Scope } from "../route.js";

/**
 * The key that allows a request, where there are keys: a bearer token, `x-api-key`, or the password of HTTP's basic
 * authentication, which browsers ask for. Throws invalid_api_key (401) or permission_denied (403).
 */
export function authorize(headers: Headers, scope: Scope, keys: KeyStore | undefined): StoredKey | undefined {
  if (scope === "public" || !keys || keys.empty) return undefined;
  const shown = shownKey(headers);
  if (shown === undefined) {
    throw new HfmsError("invalid_api_key", "no API key was given", {
      hint: "send it as `Authorization: Bearer hfms_…`; `hfms keys create` makes one",
    });
  }
  const key = keys.check(shown);
  if (!key) {
    throw new HfmsError("invalid_api_key", "the API key is not known here", {
      hint: "it may have been revoked; `hfms keys list` shows those that are valid",
    });
  }
  const allowed = key.scopes.includes("admin") || key.scopes.includes(scope);
  if (!allowed) {
    throw new HfmsError("permission_denied", `the API key ${key.name} has no scope ${scope}`, {
      hint: `make one with \`hfms keys create --scope ${scope}\``,
    });
  }
  return key;
}

/** How a caller without a key is told to show one. A browser then asks its user. */
export function challenge(headers: Headers): string {
  return headers.get("accept")?.includes("text/html") ? 'Basic realm="hfms", charset="UTF-8"' : "Bearer";
}

function shownKey(headers: Headers): string | undefined {
  const header = headers.get("authorization");
  if (header === null) return headers.get("x-api-key") ?? undefined;
  const [, scheme, value] = /^(\w+) +(\S.*)$/.exec(header.trim()) ?? [];
  if (scheme?.toLowerCase() === "bearer") return value;
  if (scheme?.toLowerCase() !== "basic") return undefined;
  const decoded = Buffer.from(value, "base64").toString();
  return decoded.slice(decoded.indexOf(":") + 1);
}
