import { createServer } from "node:net";
import { expect, it } from "vitest";
import { serving } from "./serving.js";

it("refuses a port that is taken, instead of taking another", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => other.once("listening", resolve));
  const { port } = other.address() as { port: number };
  await expect(serving({ config: { port } })).rejects.toMatchObject({
    code: "address_unavailable",
    message: expect.stringContaining(String(port)),
  });
  other.close();
});

it("refuses a port that browsers don't open", async () => {
  await expect(serving({ config: { port: 6667 } })).rejects.toMatchObject({
    code: "address_unavailable",
    param: "port",
  });
});
