/**
 * Exit codes of the commands, by error code; docs/exit-codes.md is the same table for people. Decides.
 */
import type { ErrorCode } from "./errors.ts";

export const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  internal: 1,
  bad_request: 2,
  unsupported_scheme: 2,
  origin_unreachable: 10,
  origin_refused: 11,
  origin_not_found: 12,
  not_found: 12,
  origin_failed: 13,
  origin_changed: 14,
  digest_mismatch: 20,
  output_unwritable: 21,
  disk_full: 22,
  no_supernode: 30,
  no_seeder: 31,
  no_progress: 32,
  not_final: 33,
  timeout: 34,
  busy: 35,
  address_in_use: 40,
  already_running: 41,
  daemon_unreachable: 42,
  unauthorized: 43,
  forbidden: 45,
  rate_limited: 46,
  body_too_long: 2,
  protocol: 44,
  cancelled: 130,
};
