import { describe, expect, it } from "vitest";
import { HfmsError } from "../../../../src/core/index.js";
import { errorBody } from "../../../../src/server/dialects/openai/error-body.js";

describe("OpenAI's error object", () => {
  it("has all four keys, and the hint in its message", () => {
    const error = new HfmsError("invalid_request", "n is 0", { hint: "at least 1", param: "n" });
    expect(errorBody(error)).toEqual({
      error: { message: "n is 0: at least 1", type: "invalid_request_error", param: "n", code: null },
    });
  });

  it("does not blame the caller's key for the server's own at the Hub", () => {
    expect(errorBody(new HfmsError("unauthorized", "the Hub wants a token")).error.code).toBe("unauthorized");
    expect(errorBody(new HfmsError("invalid_api_key", "no key")).error.code).toBe("invalid_api_key");
  });
});
