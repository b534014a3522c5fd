/** Whom a request trusts: read strictly, and part of what is the same. */
import { readFile } from "node:fs/promises";
import test from "ava";
import { parseOriginTls } from "../../../torrents/origin-tls.ts";
import { contentKey, originKey, taskIdOf } from "../../../torrents/task-identity.ts";
import { makeCertificate } from "../../support/certificates.ts";
import { refuses } from "./refuses.ts";

test("parseOriginTls() takes certificates and nothing else", async (t) => {
  await using certificate = await makeCertificate();
  const pem = (await readFile(certificate.caFile, "utf8")).trim();
  t.deepEqual(parseOriginTls({ ca: pem }), { ca: pem });
  t.deepEqual(parseOriginTls({ ca: `# ours\n${certificate.key}\n${pem}\n`, insecure: true }), { ca: pem, insecure: true });
  t.deepEqual(parseOriginTls({ insecure: true }), { insecure: true });
  for (const nothing of [undefined, null, {}, { insecure: false }, { insecure: "true" }]) t.is(parseOriginTls(nothing), undefined);
  const broken = pem.replace(/[A-Za-z0-9]{20}/, "AAAAAAAAAAAAAAAAAAAA");
  for (const ca of ["", "x", certificate.key, broken, `${pem}\n${broken}`, `${pem}\n`.repeat(21), pem.padEnd(65_537), 5])
    refuses(t, () => parseOriginTls({ ca }), "bad_request");
  refuses(t, () => parseOriginTls("ca"), "bad_request");
});

test("what was read with another trust is another thing: keys and tasks are apart; without one they are as they were", (t) => {
  const digest = `sha256:${"a".repeat(64)}`;
  const request = { url: `https://r.example/v2/a/blobs/${digest}`, digest };
  const trusts = [undefined, { ca: "x" }, { ca: "y" }, { insecure: true }, { ca: "x", insecure: true }];
  const distinct = (of: (asked: Parameters<typeof originKey>[0]) => string): number =>
    new Set(trusts.map((tls) => of({ ...request, tls }))).size;
  t.is(distinct(originKey), trusts.length);
  t.is(distinct(contentKey), trusts.length);
  t.is(
    distinct((asked) => taskIdOf({ request: asked, lengthBytes: 5, validators: {} })),
    trusts.length,
  );
  t.is(originKey({ url: "http://h/" }), JSON.stringify(["http://h/", "", "", "", 0]));
});
