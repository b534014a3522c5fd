import test from "ava";
import { refuseCallersFiles, refuseOthersContent } from "../../../peer/daemon/group-guard.ts";
import { parseDownloadRequest } from "../../../peer/daemon/parse-download-request.ts";

const GROUP = 1000;
const url = "http://host/file";

for (const files of [{ output: "/tmp/f" }, { outputFolder: "/tmp" }, { fill: { path: "/tmp/f" } }]) {
  test(`refuseCallersFiles() refuses ${Object.keys(files)[0]} where a group is served, and only there`, (t) => {
    const request = parseDownloadRequest({ url, ...files });
    t.throws(() => refuseCallersFiles(request, GROUP), { message: /reads and writes no files/ });
    t.notThrows(() => refuseCallersFiles(request, undefined));
  });
}

test("refuseCallersFiles() lets a group have streams", (t) => {
  t.notThrows(() => refuseCallersFiles(parseDownloadRequest({ url, stream: true }), GROUP));
});

test("refuseOthersContent() refuses a group what came with credentials, and nothing else", (t) => {
  const secret = { liveInfo: "x", local: false, private: true };
  const refused = (stored: Parameters<typeof refuseOthersContent>[0], group?: number): boolean => {
    try {
      refuseOthersContent(stored, group);
      return false;
    } catch (error) {
      t.is((error as { code?: string }).code, "unauthorized");
      return true;
    }
  };
  t.true(refused(secret, GROUP));
  t.true(refused({ ...secret, private: undefined }, GROUP), "remembered before that was noted");
  t.false(refused(secret, undefined));
  t.false(refused({ ...secret, private: false }, GROUP));
  t.false(refused({ local: false, private: true }, GROUP), "a private torrent of strangers: its hash is all that one needs");
  t.false(refused(undefined, GROUP));
});
