/**
 * An S3 server on loopback: s3rver with one bucket in a temporary folder, behind a check of the signatures.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import S3rver from "s3rver";
import { temporaryFolder } from "./folders.ts";
import { isSignedBy } from "./s3-signature.ts";

/** What s3rver takes for its account. */
export const S3_CREDENTIALS = { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" };
export const S3_BUCKET = "models";

export interface S3TestServer extends AsyncDisposable {
  readonly endpoint: string;
  put(key: string, content: Buffer): Promise<void>;
}

export async function startS3Server(): Promise<S3TestServer> {
  const folder = await temporaryFolder();
  const options = { silent: true, directory: folder.path, vhostBuckets: false, configureBuckets: [{ name: S3_BUCKET }] };
  const service = new S3rver(options);
  await service.configureBuckets();
  const answer = service.callback();
  const keys = new Map([[S3_CREDENTIALS.accessKeyId, S3_CREDENTIALS.secretAccessKey]]);
  const server = createServer((request, response) => {
    if (isSignedBy(request, keys)) return void answer(request, response);
    response.writeHead(403, { "content-type": "application/xml" });
    response.end("<Error><Code>SignatureDoesNotMatch</Code><Message>The signature does not match.</Message></Error>");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, credentials: S3_CREDENTIALS });
  return {
    endpoint,
    put: async (key, content) => void (await client.send(new PutObjectCommand({ Bucket: S3_BUCKET, Key: key, Body: content }))),
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
      await folder[Symbol.asyncDispose]();
    },
  };
}
