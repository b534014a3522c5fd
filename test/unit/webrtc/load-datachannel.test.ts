import test from "ava";
import { loadDataChannels } from "../../../peer/webrtc/load-datachannel.ts";

test("loadDataChannels() says what to install where the native package is missing", async (t) => {
  const missing = async (): Promise<never> => {
    throw new Error("Cannot find package 'node-datachannel'");
  };
  const error = await t.throwsAsync(loadDataChannels(missing), { code: "bad_request" });
  t.is(error.message, "WebRTC cannot be used: the package node-datachannel cannot be loaded: Cannot find package 'node-datachannel'");
  t.regex((error as { hint?: string }).hint ?? "", /npm/);
});
