/**
 * Every error that a user can meet, in one table: the process exit code of the command line and the HTTP status of
 * the server. A code is stable: scripts and clients match on it.
 */
export const errorTable = {
  internal_error: { exit: 1, status: 500 },
  invalid_request: { exit: 2, status: 400 },
  empty_input: { exit: 2, status: 400 },
  model_not_found: { exit: 3, status: 404 },
  skill_not_found: { exit: 3, status: 404 },
  revision_not_found: { exit: 3, status: 404 },
  gated_model: { exit: 4, status: 403 },
  // The Hub refuses this machine's token: a caller of the server has no part in that.
  unauthorized: { exit: 4, status: 403 },
  hub_unreachable: { exit: 5, status: 503 },
  hub_error: { exit: 5, status: 502 },
  offline: { exit: 5, status: 503 },
  download_failed: { exit: 5, status: 502 },
  disk_full: { exit: 6, status: 507 },
  file_error: { exit: 6, status: 500 },
  corrupt_file: { exit: 7, status: 500 },
  unsupported_model: { exit: 8, status: 400 },
  unsupported_dtype: { exit: 8, status: 400 },
  unsupported_task: { exit: 8, status: 400 },
  device_unavailable: { exit: 9, status: 503 },
  context_length_exceeded: { exit: 10, status: 400 },
  out_of_memory: { exit: 11, status: 503 },
  runtime_error: { exit: 12, status: 500 },
  invalid_config: { exit: 2, status: 500 },
  address_unavailable: { exit: 13, status: 500 },
  // What only callers of the server meet.
  invalid_api_key: { exit: 1, status: 401 },
  permission_denied: { exit: 1, status: 403 },
  unknown_url: { exit: 1, status: 404 },
  method_not_allowed: { exit: 1, status: 405 },
  payload_too_large: { exit: 1, status: 413 },
  unsupported_media_type: { exit: 1, status: 415 },
  rate_limit_exceeded: { exit: 1, status: 429 },
  overloaded: { exit: 1, status: 503 },
  model_loading: { exit: 1, status: 503 },
  request_timeout: { exit: 1, status: 504 },
  aborted: { exit: 130, status: 499 },
} as const satisfies Record<string, { exit: number; status: number }>;

export type ErrorCode = keyof typeof errorTable;

export interface ErrorDetails {
  /** What the user can do about it, as a sentence fragment: "run `hfms discover`". */
  hint?: string;
  /** The request field or flag that is at fault. */
  param?: string;
  /** Seconds after which another try may succeed. */
  retryAfter?: number;
  cause?: unknown;
}

/** The only error class that leaves the core. `message` says what happened with the value; `hint` what to do. */
export class HfmsError extends Error {
  override readonly name = "HfmsError";
  readonly code: ErrorCode;
  readonly hint?: string;
  readonly param?: string;
  readonly retryAfter?: number;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.param = details.param;
    this.retryAfter = details.retryAfter;
  }

  get exitCode(): number {
    return errorTable[this.code].exit;
  }

  get status(): number {
    return errorTable[this.code].status;
  }
}

/** The error of work that was stopped by its signal. */
export function aborted(signal: AbortSignal | undefined): HfmsError {
  return new HfmsError("aborted", "stopped", { cause: signal?.reason });
}

/** Throws `aborted` when the signal has fired. Long loops call it between steps. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw aborted(signal);
}

/** Turns what the file system throws into the table's words; anything else passes through unchanged. */
export function fromFileSystem(error: unknown, what: string): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new HfmsError("disk_full", `no space left on the disk while writing ${what}`, {
      hint: "free some space (`hfms list` shows what the models take, `hfms rm` removes one) or set HF_HOME to another disk",
      cause: error,
    });
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    return new HfmsError("file_error", `no permission for ${what}`, {
      hint: "check the owner of the folder, or set HF_HOME to one you can write to",
      cause: error,
    });
  }
  if (code === "ENOTDIR") {
    return new HfmsError("file_error", `${what} can't be there: a part of the path is a file, not a folder`, {
      hint: "name another folder",
      cause: error,
    });
  }
  return error;
}
