import test from "ava";
import { bareUrl, hasUrlSecrets, shownText, shownUrl } from "../../../torrents/shown-url.ts";

for (const [url, shown] of [
  ["https://user:pw@host/a", "https://host/a"],
  ["https://host/a?X-Amz-Algorithm=x&X-Amz-Date=d&X-Amz-Signature=abc&X-Amz-Credential=AK&v=1", "https://host/a?v=1"],
  ["https://host/a?Signature=abc&Expires=1&Key-Pair-Id=K", "https://host/a"],
  ["https://host/a?sig=abc&sv=2&se=2026-01-01&sp=r&part=3", "https://host/a?part=3"],
  ["https://host/a?q-sign-algorithm=sha1&q-ak=k&q-signature=abc", "https://host/a"],
  ["https://host/a?token=t&TOKEN=u", "https://host/a"],
  ["s3://key:secret@bucket/a", "s3://bucket/a"],
] as const)
  test(`shownUrl() leaves credentials out of ${url}`, (t) => {
    t.is(shownUrl(url), shown);
    t.true(hasUrlSecrets(url));
    t.false(hasUrlSecrets(shown));
  });

test("shownUrl() leaves other URLs as they are", (t) => {
  for (const url of ["http://host/a%20b?q=a+b&version=1", "http://host/token/signature?tokens=1", "http://host/a?expires=7&sv=2"]) {
    t.is(shownUrl(url), url);
    t.false(hasUrlSecrets(url));
  }
  t.is(shownUrl("http://host/a#part"), "http://host/a");
  t.is(shownUrl("no URL"), "(malformed URL)");
});

test("shownText() cleans each URL in a message", (t) => {
  t.is(
    shownText("http://u:p@h/a?token=x redirects to https://h2/b?sig=1, which fails"),
    "http://h/a redirects to https://h2/b which fails",
  );
  t.is(shownText("nothing here"), "nothing here");
});

for (const [url, bare] of [
  ["http://u:p@host:8/a/b?x=1&y%0A=2#part", "http://host:8/a/b?x=…&y%0A=…"],
  ["http://host/a?SECRET", "http://host/a?…"],
  ["http://host/a", "http://host/a"],
  ["s3://bucket/a?versionId=1", "s3://bucket/a?versionId=…"],
  ["magnet:?xt=urn:btih:abc&tr=http%3A%2F%2Ft%2Fkey", "magnet:?xt=urn:btih:abc&tr=…"],
  ["no URL", "(malformed URL)"],
] as const)
  test(`bareUrl() leaves out what the query of ${url} says`, (t) => t.is(bareUrl(url), bare));
