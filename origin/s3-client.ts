/**
 * The AWS SDK's S3 client as the S3 back end needs it: presigned addresses, listings, the region of a bucket. Drives.
 * Loaded only when the first s3:// URL is asked for: the SDK costs a fifth of a second of start-up time.
 */
import { GetObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface S3Settings {
  /** Base URL of an S3-compatible service; absent: AWS, or what its environment and profile say. */
  readonly endpoint?: string;
  /** Absent: that of the environment or profile, else us-east-1. */
  readonly region?: string;
  /** True: HOST/BUCKET/KEY rather than BUCKET.HOST/KEY. */
  readonly pathStyle?: boolean;
  /** Absent: environment, profile, container or instance role, in the SDK's order. */
  readonly credentials?: S3Credentials;
}

export interface S3Object {
  readonly bucket: string;
  readonly key: string;
  readonly versionId?: string;
}

export interface S3Page {
  readonly objects: readonly { readonly key: string; readonly lengthBytes: number | undefined }[];
  readonly prefixes: readonly string[];
  /** Where the next page begins; undefined: this was the last. */
  readonly next: string | undefined;
}

/** How long a presigned address holds: longer than a download of one range takes, shorter than a secret should live. */
const SIGNED_SECONDS = 3600;

/** One client per settings. */
export class S3Access {
  readonly #client: S3Client;

  constructor(settings: S3Settings) {
    const { endpoint, region, pathStyle, credentials } = settings;
    this.#client = new S3Client({
      ...(endpoint === undefined ? {} : { endpoint }),
      region: region ?? process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION ?? (endpoint === undefined ? undefined : "us-east-1"),
      forcePathStyle: pathStyle ?? false,
      ...(credentials === undefined ? {} : { credentials }),
      followRegionRedirects: true,
      // checksum headers of their own are what S3-compatible services stumble over; pieces are checked anyway
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
    });
  }

  /** An address that anybody may GET for SIGNED_SECONDS. */
  sign({ bucket, key, versionId }: S3Object): Promise<string> {
    return getSignedUrl(this.#client, new GetObjectCommand({ Bucket: bucket, Key: key, VersionId: versionId }), {
      expiresIn: SIGNED_SECONDS,
    });
  }

  async listPage(
    place: { readonly bucket: string; readonly prefix: string; readonly next: string | undefined },
    signal: AbortSignal,
  ): Promise<S3Page> {
    const answer = await this.#client.send(
      new ListObjectsV2Command({ Bucket: place.bucket, Prefix: place.prefix, Delimiter: "/", ContinuationToken: place.next }),
      { abortSignal: signal },
    );
    return {
      objects: (answer.Contents ?? []).map(({ Key = "", Size }) => ({ key: Key, lengthBytes: Size })),
      prefixes: (answer.CommonPrefixes ?? []).map(({ Prefix = "" }) => Prefix),
      next: answer.IsTruncated ? answer.NextContinuationToken : undefined,
    };
  }

  close(): void {
    this.#client.destroy();
  }
}
