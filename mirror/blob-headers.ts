/** Headers of a blob, whoever brings its bytes. Decides. */

/** The entity tag: a blob is its digest, wherever it comes from. */
export function blobEtag(digest: string): string {
  return `"${digest}"`;
}

export function blobHeaders(digest: string): Record<string, string> {
  return {
    "content-type": "application/octet-stream",
    "docker-content-digest": digest,
    etag: blobEtag(digest),
    "accept-ranges": "bytes",
    "cache-control": "max-age=31536000",
    "docker-distribution-api-version": "registry/2.0",
  };
}

/** Whether `If-None-Match` names this tag. */
export function namesTag(header: string | undefined, etag: string): boolean {
  return header !== undefined && (header.trim() === "*" || header.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag));
}
