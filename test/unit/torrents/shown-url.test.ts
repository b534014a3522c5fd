import test from "ava";
import { hasUrlSecrets, shownText, shownUrl } from "../../../torrents/shown-url.ts";

for (const [url, shown] of [
  ["https://user:pw@host/a", "https://host/a"],
  ["https://host/a?X-Amz-Algorithm=x&X-Amz-Signature=abc&X-Amz-Credential=AK", "https://host/a?X-Amz-Algorithm=x"],
  ["https://host/a?Signature=abc&Expires=1", "https://host/a?Expires=1"],
  ["https://host/a?sig=abc&sv=2", "https://host/a?sv=2"],
  ["https://host/a?token=t&TOKEN=u", "https://host/a"],
  ["s3://key:secret@bucket/a", "s3://bucket/a"],
] as const)
  test(`shownUrl() leaves credentials out of ${url}`, (t) => {
    t.is(shownUrl(url), shown);
    t.true(hasUrlSecrets(url));
    t.false(hasUrlSecrets(shown));
  });

test("shownUrl() leaves other URLs as they are", (t) => {
  for (const url of ["http://host/a%20b?q=a+b&version=1", "http://host/token/signature?tokens=1"]) {
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
