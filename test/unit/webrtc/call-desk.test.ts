/** CallDesk with the native library, on loopback; left out where it is not installed. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import test from "ava";
import { CallDesk } from "../../../peer/webrtc/call-desk.ts";
import { loadDataChannels } from "../../../peer/webrtc/load-datachannel.ts";
import type { OpenChannel } from "../../../peer/webrtc/peer-call.ts";

const channels = await loadDataChannels().catch(() => undefined);
// one after another: what they count are this process's calls
const nativeTest = channels === undefined ? test.skip : test.serial;

function openDesk(iceServers: readonly string[] = []): CallDesk {
  if (channels === undefined) throw new Error("the native library is not there");
  return new CallDesk({ channels, bindAddress: "127.0.0.1", iceServers });
}

/** A call from one desk to the other, made again where it fails: on a busy machine libdatachannel 0.24 does so now and then. */
async function connect(caller: CallDesk, called: CallDesk): Promise<[OpenChannel, OpenChannel]> {
  const one = Promise.withResolvers<OpenChannel>();
  const other = Promise.withResolvers<OpenChannel>();
  const place = async (): Promise<void> => {
    const call = await caller.offer(one.resolve, () => void place().catch(one.reject));
    const answer = call && (await called.answer(call.sdp, other.resolve));
    if (call === undefined || answer === undefined) throw new Error("there was no room");
    call.accept(answer);
  };
  await place();
  return Promise.all([one.promise, other.promise]);
}

nativeTest("a call brings a stream both ways; what one side ends the other hears of, and nothing is left", async (t) => {
  using caller = openDesk();
  using called = openDesk();
  const [one, other] = await connect(caller, called);
  t.deepEqual([caller.figures, called.figures], Array(2).fill({ ringing: 0, open: 1 }));
  t.is(one.host, "127.0.0.1");
  t.true(one.port > 0);
  const bytes = Buffer.from(Array.from({ length: 700_000 }, (_, at) => at % 253));
  const heard: Buffer[] = [];
  const whole = Promise.withResolvers<void>();
  other.stream.on("data", (part: Buffer) => {
    heard.push(part);
    if (heard.reduce((sum, { length }) => sum + length, 0) === bytes.length) whole.resolve();
  });
  one.stream.write(bytes);
  await whole.promise;
  t.true(Buffer.concat(heard).equals(bytes));
  const ended = once(other.stream, "close");
  one.stream.destroy();
  await ended;
  t.deepEqual([caller.figures, called.figures], Array(2).fill({ ringing: 0, open: 0 }));
});

nativeTest("CallDesk refuses what is no description, and forgets the call", async (t) => {
  using desk = openDesk();
  for (const sdp of ["", "hello", "v=0\r\nnonsense\r\n"])
    await t.throwsAsync(
      desk.answer(sdp, () => undefined),
      { code: "protocol" },
      sdp,
    );
  const call = await desk.offer(() => undefined);
  t.throws(() => call?.accept("hello"), { code: "protocol" });
  t.false(call?.open);
  t.deepEqual(desk.figures, { ringing: 0, open: 0 });
});

nativeTest("CallDesk makes no more calls than it can bear, and ends them with itself", async (t) => {
  const desk = openDesk();
  const calls = await Promise.all(Array.from({ length: 61 }, () => desk.offer(() => undefined)));
  t.is(calls.filter((call) => call !== undefined).length, 60);
  t.deepEqual(desk.figures, { ringing: 60, open: 0 });
  calls[0]?.[Symbol.dispose]();
  t.is(desk.figures.ringing, 59);
  desk[Symbol.dispose]();
  t.deepEqual(desk.figures, { ringing: 0, open: 0 });
  t.is(await desk.offer(() => undefined), undefined);
});

nativeTest("CallDesk asks the STUN servers that it was given, and does not wait for ever for their answer", async (t) => {
  const server = createSocket("udp4");
  server.bind(0, "127.0.0.1");
  const asked = once(server, "message", { signal: AbortSignal.timeout(20_000) });
  await once(server, "listening");
  using desk = openDesk([`stun:127.0.0.1:${server.address().port}`]);
  const call = await desk.offer(() => undefined);
  t.regex(call?.sdp ?? "", /^a=candidate:.* 127\.0\.0\.1 /m);
  const [question] = (await asked) as [Buffer];
  // RFC 8489 5: a binding request, and the magic cookie
  t.is(question.readUInt16BE(0), 1);
  t.is(question.readUInt32BE(4), 0x2112a442);
  server.close();
});
