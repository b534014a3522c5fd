/** The call must fail with a SkimmerError of the code. */
import type { ExecutionContext } from "ava";
import type { ErrorCode } from "../../../system/errors.ts";

export function refuses(t: ExecutionContext, call: () => unknown, code: ErrorCode = "protocol"): void {
  const error = t.throws(call, { name: "SkimmerError" });
  t.is((error as { code?: string } | undefined)?.code, code, String(error));
}
