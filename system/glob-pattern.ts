/** Shell patterns as --include-files and --include take them: `*` and `?` stand for anything but a slash, `**` for anything. Decides. */
export function globPattern(text: string): RegExp {
  const source = text
    .split(/(\*\*|\*|\?)/)
    .map((part) => GLOBS[part] ?? part.replace(/[\\^$.|+()[\]{}]/g, "\\$&"))
    .join("");
  return new RegExp(`^${source}$`);
}

const GLOBS: Readonly<Record<string, string>> = { "**": ".*", "*": "[^/]*", "?": "[^/]" };
