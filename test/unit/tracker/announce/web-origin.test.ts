import test from "ava";
import { isOwnPage } from "../../../../tracker/announce/web-origin.ts";

test("isOwnPage(): pages of the host that is called, and what is no browser", (t) => {
  t.true(isOwnPage({ origin: undefined, host: "supernode:8002" }));
  t.true(isOwnPage({ origin: "http://supernode:8002", host: "Supernode:8002" }));
  t.true(isOwnPage({ origin: "https://files.example", host: "files.example" }));
  for (const origin of ["http://supernode", "http://evil.example", "null", "", "http://supernode:8002.evil.example", "file://"])
    t.false(isOwnPage({ origin, host: "supernode:8002" }), origin);
  t.false(isOwnPage({ origin: "http://a", host: undefined }));
});
