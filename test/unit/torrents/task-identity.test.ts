/** What makes two requests the same task. */
import test from "ava";
import fc from "fast-check";
import { contentKey, originKey, taskIdOf } from "../../../torrents/task-identity.ts";
import { refuses } from "./refuses.ts";

const url = "http://example.com/a?x=1";
const base = { request: { url }, lengthBytes: 10, validators: { etag: '"1"' } };

test("originKey() does not see fragment, default port and case of the host", (t) => {
  for (const same of ["http://example.com:80/a?x=1", "http://EXAMPLE.com/a?x=1#top", "HTTP://example.com/b/../a?x=1"]) {
    t.is(originKey({ url: same }), originKey({ url }), same);
  }
  for (const other of ["https://example.com/a?x=1", "http://example.com:81/a?x=1", "http://example.com/a?x=2", "http://example.com/a"]) {
    t.not(originKey({ url: other }), originKey({ url }), other);
  }
});

test("originKey() leaves filtered query parameters out", (t) => {
  const filter = ["sig", "expires"];
  const signed = originKey({ url: "http://h/f?sig=1&x=1&expires=5&sig=2", filter });
  t.is(signed, originKey({ url: "http://h/f?x=1&sig=9", filter }));
  t.is(signed, originKey({ url: "http://h/f?x=1" }));
  t.is(originKey({ url: "http://h/f?sig=1", filter }), originKey({ url: "http://h/f" }));
  t.not(signed, originKey({ url: "http://h/f?x=2&sig=1", filter }));
});

test("originKey() tells tag, range, digest and piece length apart", (t) => {
  const keys = [{}, { tag: "a" }, { range: "0-9" }, { digest: "a" }, { pieceLengthBytes: 262144 }, { tag: '","' }].map((more) =>
    originKey({ url, ...more }),
  );
  t.is(new Set(keys).size, keys.length);
});

test("originKey() refuses what is no URL", (t) => refuses(t, () => originKey({ url: "nonsense" }), "bad_request"));

test("taskIdOf() changes with every part, and is stable", (t) => {
  const ids = [
    base,
    { ...base, request: { url, tag: "a" } },
    { ...base, lengthBytes: 11 },
    { ...base, validators: { etag: '"2"' } },
    { ...base, validators: { lastModified: '"1"' } },
    { ...base, validators: {} },
    { ...base, salt: Buffer.from("s") },
    { ...base, salt: Buffer.from("t") },
  ].map(taskIdOf);
  t.is(new Set(ids).size, ids.length);
  t.is(taskIdOf({ ...base }), ids[0]);
  // computed with Python: sha256 over u32 length ‖ bytes of '["http://example.com/a?x=1","","","",0]', '10', '"1"', '', ''
  t.is<string, string>(ids[0], "cb3f960c253c9bae4f7adc8d63a6e5d0409be01531d86e3139821a2c46a020f0");
});

test("taskIdOf() cannot be confused by where one part ends and the next begins", (t) => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), fc.string(), (etag, lastModified, otherEtag, otherModified) => {
      const same = etag === otherEtag && lastModified === otherModified;
      const first = taskIdOf({ ...base, validators: { etag, lastModified } });
      t.is(first === taskIdOf({ ...base, validators: { etag: otherEtag, lastModified: otherModified } }), same);
    }),
  );
});

test("taskIdOf() counts the digest only where the origin gave no validator", (t) => {
  const digested = { ...base, request: { url, digest: `sha256:${"a".repeat(64)}` } };
  t.is(taskIdOf(digested), taskIdOf(base));
  t.not(taskIdOf({ ...digested, validators: {} }), taskIdOf({ ...base, validators: {} }));
});

test("contentKey() and taskIdOf() take a registry's blob by its digest, whatever repository and validators", (t) => {
  const digest = `sha256:${"a".repeat(64)}`;
  const blob = (path: string, more: object = {}) => ({ url: `https://registry.example${path}`, digest, ...more });
  const one = blob(`/v2/team/app/blobs/${digest}`);
  const other = blob(`/v2/library/x/blobs/${digest}?ns=docker.io`);
  t.is(contentKey(one), contentKey(other));
  t.not(originKey(one), originKey(other));
  const id = (request: typeof one, more: object = {}) => taskIdOf({ request, lengthBytes: 5, validators: { etag: '"1"' }, ...more });
  t.is(id(one), id(other, { validators: { lastModified: "today" } }));
  t.not(id(one), id(other, { lengthBytes: 6 }));
  t.not(id(one), id(other, { salt: Buffer.from("s") }));
  t.not(id(one), id({ ...one, url: one.url.replace("registry.", "mirror.") }));
  // without that digest, or for another path, it is an ordinary URL
  for (const plain of [{ url: one.url }, { ...one, digest: `sha256:${"b".repeat(64)}` }, blob("/v2/team/app/manifests/v1")])
    t.is(contentKey(plain), originKey(plain));
});
