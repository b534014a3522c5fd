/** originWebSeed(): only what anybody may read, in whole, goes into torrents. */
import test from "ava";
import { originWebSeed, webSeedOfV2 } from "../../../torrents/origin-web-seed.ts";
import { magnetLink, torrentFile } from "../../../torrents/torrent-file.ts";

const FACTS = { url: "https://h/a%20b.bin?v=2", isWhole: true, private: false, ranges: true };

test("originWebSeed() is the URL of public content", (t) => {
  t.is(originWebSeed(FACTS), FACTS.url);
  t.is(originWebSeed({ ...FACTS, url: `${FACTS.url}#part` }), FACTS.url);
});

test("originWebSeed() keeps back what is private, signed, a part, a folder, or without ranges", (t) => {
  const kept = [
    { private: true },
    { isWhole: false },
    { ranges: false },
    { url: "https://user:word@h/f" },
    { url: "https://h/f?X-Amz-Signature=1" },
    { url: "https://h/f?token=1" },
    { url: "https://h/folder/" },
    { url: "s3://bucket/f" },
    { url: "file:///f" },
    { url: `https://h/${"f".repeat(3000)}` },
    { url: "no url" },
  ];
  for (const facts of kept) t.is(originWebSeed({ ...FACTS, ...facts }), undefined, JSON.stringify(facts).slice(0, 100));
});

test("webSeedOfV2() is the folder, where the file has the torrent's name in it", (t) => {
  t.is(webSeedOfV2("http://h/pub/a%20b.bin", "a b.bin"), "http://h/pub/");
  for (const url of ["http://h/pub/x", "http://h/a%20b.bin?v=1", "http://h/a b.bin"]) t.is(webSeedOfV2(url, "a b"), url);
});

test("torrentFile() and magnetLink() carry web seeds outside of the info dict, and nothing where there are none", (t) => {
  const info = Buffer.from("d6:lengthi1e4:name1:fe");
  const file = torrentFile({ info, trackers: [], webSeeds: ["http://h/f"] }).toString();
  t.true(file.endsWith("8:url-listl10:http://h/fee"), file);
  t.false(torrentFile({ info, trackers: [], webSeeds: [] }).includes("url-list"));
  t.true(magnetLink({ name: "f", infoV1: info, trackers: [], webSeeds: ["http://h/f"] }).endsWith("&ws=http%3A%2F%2Fh%2Ff"));
});
