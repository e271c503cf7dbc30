import { describe, expect, it } from "vitest";
import { isLoopback, requireSafeBinding } from "../../../src/server/config/binding.js";

describe("an address", () => {
  it.each([
    "127.0.0.1",
    "127.8.9.1",
    "::1",
    "0:0:0:0:0:0:0:1",
    "::ffff:127.0.0.1",
    "localhost",
    "a.localhost",
  ])("%s is this machine's alone", (host) => expect(isLoopback(host)).toBe(true));

  it.each([
    "0.0.0.0",
    "::",
    "10.0.0.1",
    "192.168.1.2",
    "fe80::1%eth0",
    "::ffff:10.0.0.1",
    "models.example",
    "127.0.0.1.example",
    "localhost.example",
  ])("%s may be reached by others", (host) => expect(isLoopback(host)).toBe(false));
});

describe("a server for other machines", () => {
  it("needs a key, or --insecure", () => {
    const bind = (host: string, insecure: boolean, empty: boolean) => () =>
      requireSafeBinding({ host, insecure }, { empty });
    expect(bind("0.0.0.0", false, true)).toThrow(/host 0\.0\.0\.0 lets other machines in/);
    expect(bind("0.0.0.0", false, false)).not.toThrow();
    expect(bind("0.0.0.0", true, true)).not.toThrow();
    expect(bind("127.0.0.1", false, true)).not.toThrow();
  });
});
