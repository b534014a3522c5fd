import test from "ava";
import { formatBytes, formatDuration, formatRate, parseBytes, parseDuration, parseRate } from "../../../system/units.ts";

test("parseBytes() reads decimal and binary prefixes, and bits", (t) => {
  const cases: Record<string, number> = {
    "0": 0,
    "500000": 500_000,
    "512B": 512,
    "20k": 20 * 1000,
    "20M": 20 * 1000 ** 2,
    "20MB": 20 * 1000 ** 2,
    "20 mb": 20 * 1000 ** 2,
    "1.5G": 1.5 * 1000 ** 3,
    "20KiB": 20 * 1024,
    "20MiB": 20 * 1024 ** 2,
    "2Gi": 2 * 1024 ** 3,
    "1TiB": 1024 ** 4,
    "160Mbit": (160 * 1000 ** 2) / 8,
    "160Mbps": (160 * 1000 ** 2) / 8,
  };
  for (const [text, bytes] of Object.entries(cases)) t.is(parseBytes(text), bytes, text);
});

test("parseRate() takes /s, and keeps the smallest rate from becoming unlimited", (t) => {
  t.is(parseRate("20MB/s"), 20 * 1000 ** 2);
  t.is(parseRate("0"), 0);
  t.is(parseRate("0.0"), 0);
  t.is(parseRate("1bit"), 1);
  t.is(parseRate("0.1"), 1);
});

for (const text of ["", "fast", "-1", "20X", "20i", "1e6", "M", "20M B", "0x10", "9".repeat(20), "9".repeat(400), "10000000T"]) {
  test(`parseBytes() refuses "${text.slice(0, 30)}", ${text.length} long`, (t) => {
    t.like(
      t.throws(() => parseBytes(text)),
      { name: "SkimmerError", code: "bad_request" },
    );
  });
}

test("parseDuration() reads seconds unless a unit is given", (t) => {
  const cases: Record<string, number> = {
    "0": 0,
    "90": 90_000,
    "90s": 90_000,
    "1.5s": 1500,
    "500ms": 500,
    "5m": 300_000,
    "1h": 3_600_000,
    "2d": 172_800_000,
  };
  for (const [text, ms] of Object.entries(cases)) t.is(parseDuration(text), ms, text);
});

for (const text of ["", "soon", "-5", "5 weeks", "25d", "9".repeat(400)]) {
  test(`parseDuration() refuses "${text.slice(0, 30)}", ${text.length} long`, (t) => {
    t.like(
      t.throws(() => parseDuration(text)),
      { name: "SkimmerError", code: "bad_request" },
    );
  });
}

test("formatBytes(), formatRate() and formatDuration() are short", (t) => {
  t.is(formatBytes(0), "0 B");
  t.is(formatBytes(999), "999 B");
  t.is(formatBytes(1000), "1.0 kB");
  t.is(formatBytes(1_500_000), "1.5 MB");
  t.is(formatBytes(64 * 1024 ** 2), "67.1 MB");
  t.is(formatBytes(999_999_999), "1.0 GB");
  t.is(formatBytes(5e15), "5000 TB");
  t.is(formatRate(20e6), "20.0 MB/s");
  t.is(formatDuration(850), "850 ms");
  t.is(formatDuration(12_340), "12.3 s");
  t.is(formatDuration(245_000), "4 m 05 s");
});
