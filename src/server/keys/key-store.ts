import type { Scope } from "../route.js";

/** A key as it is kept: never in clear. */
export interface StoredKey {
  id: string;
  name: string;
  /** Of the key in clear, so that people recognise it: `hfms_ab12…`. */
  hint: string;
  scopes: Exclude<Scope, "public">[];
  /** ISO 8601. */
  created: string;
  lastUsed?: string;
}

/** The API keys of this machine. */
export interface KeyStore {
  /** Where there are none, every route is open. */
  readonly empty: boolean;
  /** The key that a caller shows, compared in constant time; undefined for an unknown one. */
  check(key: string): StoredKey | undefined;
}
