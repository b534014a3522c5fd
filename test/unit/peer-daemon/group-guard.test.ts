import test from "ava";
import { refuseCallersFiles } from "../../../peer/daemon/group-guard.ts";
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
