// What the generated declarations cannot say: uploads, and waiting for jobs.

import type { Readable } from "node:stream";
import type { StoryCoreError } from "./errors";
import type { CallOptions } from "./lists";
import type { Asset, Job } from "./models";

/** What can be uploaded. A string is a path; of a stream, its pieces are bytes. */
export type UploadSource =
  | string
  | URL
  | Uint8Array
  | ArrayBuffer
  | Blob
  | Response
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array | string>
  | Iterable<Uint8Array>;

/** How far an upload is. */
export interface UploadProgress {
  /** Bytes of the file given to the network; less than before when some are to be sent again. */
  sent: number;
  /** Bytes that the platform said it has. */
  acknowledged: number;
  /** Bytes of the file. Of a stream, what was read of it so far. */
  total: number;
  /** Bytes a second over the last five seconds. */
  rate: number;
  /** Time left at that rate in milliseconds, once there is one. */
  timeLeft?: number;
  /** Time since the upload began in milliseconds. */
  elapsed: number;
}

export interface UploadOptions extends CallOptions {
  /** `video`, `audio`, `image` or `document`. Default: by the file's extension. */
  type?: "video" | "audio" | "image" | "document" | (string & {}) | undefined;
  /** Its name. Default: the file's. */
  name?: string | undefined;
  /** What it shows. */
  description?: string | undefined;
  /** The project it belongs to. */
  project_id?: string | undefined;
  /** Its media type. Default: by the file's extension. */
  content_type?: string | undefined;
  /** The file's name, which bytes and streams need where they have none. */
  fileName?: string | undefined;
  /** Is told of the progress, at most ten times a second. What it throws ends the upload, which rejects with it. */
  onProgress?: ((progress: UploadProgress) => void) | undefined;
  /** Pauses, resumes and cancels it. */
  control?: UploadControl | undefined;
  /** The bytes of a chunk. Default: 5 to 64 MiB, so that each takes 2 to 8 s. */
  chunkSize?: number | undefined;
  /**
   * The most requests side by side, from 1 to 16. A number that is given holds. Default 16: it begins with 4 and adds while that
   * brings more; from 128 MiB on, to a platform on this machine, 1.
   */
  maxStreams?: number | undefined;
  /** Files of fewer bytes go as one request, which cannot be continued. Default 16 MiB. */
  multipartBelow?: number | undefined;
  /** Whether the SHA-256 of each chunk is sent, where the platform takes it. Default true. */
  chunkChecksums?: boolean | undefined;
  /** Failures in a row, without a byte arriving between them, that are survived. Default 8. */
  uploadRetries?: number | undefined;
  /** A request of which no byte moves for so many milliseconds is given up. Default 30 000. */
  stallTimeout?: number | undefined;
  /** A file to write the upload down in, or false for none. Default: the user's own. */
  journal?: string | boolean | undefined;
}

/** A finished upload. */
export interface UploadReport {
  /** The asset, its bytes compared with the file's. */
  asset: Asset;
  /** Bytes of the file that went out, also those that went twice; fewer than the file has when one was continued. */
  sent: number;
  /** Requests that failed and were made good. To be told that the joining of the parts is under way is no failure. */
  failures: number;
  /** What had to be begun anew, and why, in words. */
  restarts: string[];
}

/** Steers the upload that it was given to. */
export class UploadControl {
  /**
   * Stops the requests at once; what arrived is kept. A small file's single request is not begun; one that is on its
   * way goes on.
   */
  pause(): void;
  /** Goes on from where the platform is. */
  resume(): void;
  /**
   * Ends the upload with `CallCancelledError`, and takes back what the platform has of it, the asset too that it may
   * just have become: within five seconds. A small file whose single request had arrived whole is an asset that stays;
   * so is what the platform needs longer than three seconds to join or to finish. Taking back needs the permission
   * `admin`; without it, what arrived stays until it expires. The next upload of the same file goes on with what
   * stayed.
   */
  cancel(): void;
}

/** A source with the file's name, which bytes and streams need where they have none. */
export interface NamedSource {
  source: UploadSource;
  fileName: string;
}

export interface UploadAllOptions extends Omit<UploadOptions, "fileName" | "onProgress"> {
  /** The most files at a time, from 1. Default 16. Large files share 16 streams among them. */
  atOnce?: number | undefined;
  /** Is told of the progress over all files, at most ten times a second and once at the end. What it throws ends all of them. */
  onProgress?: ((progress: UploadAllProgress) => void) | undefined;
}

/** How far many uploads are. */
export interface UploadAllProgress {
  /** Files in all. */
  files: number;
  /** Files that are there. */
  filesDone: number;
  /** Files that failed. */
  filesFailed: number;
  /** The bytes of all files together. Its total has of a stream what was read of it so far, and nothing of files that cannot be read. */
  bytes: UploadProgress;
}

/** How one file of several ended: `asset`, or `error`. */
export type UploadedFile = {
  /** Its place among those that were given, from 0. */
  index: number;
  /** What was uploaded, to be tried again where it failed. A stream can be read once only. */
  source: UploadSource | NamedSource;
} & ((UploadReport & { error?: undefined }) | { asset?: undefined; error: StoryCoreError });

export interface DownloadOptions extends CallOptions {
  /** The most ranges of the content side by side, from 1 to 16. Default: 1 under 64 MiB, else 4. */
  maxStreams?: number | undefined;
}

/**
 * An asset's bytes as they arrive; a slow reader slows the download down. A connection that breaks is taken up where it was.
 * Each of its forms can be read once.
 */
export interface ContentStream extends AsyncIterableIterator<Uint8Array> {
  /** How many bytes there are, where the platform says so. */
  readonly size?: number;
  /** Their media type, where the platform says it. */
  readonly contentType?: string;
  /** As a Web stream: `new Response(content.toWeb())`. */
  toWeb(): ReadableStream<Uint8Array>;
  /** As a Node stream: `pipeline(content.toNode(), response)`. */
  toNode(): Readable;
  /** Ends the request. */
  cancel(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface AssetsByHand {
  /**
   * Uploads many files, 16 at a time, and gives each as it ends, well or not: one that fails stops no other. Leaving the loop
   * ends those that are under way.
   *
   *     for await (const { source, asset, error } of client.media.uploadAll(["one.mp4", "two.mp4"])) …
   */
  uploadAll(
    sources: Iterable<UploadSource | NamedSource>,
    options?: UploadAllOptions,
  ): AsyncGenerator<UploadedFile, void, undefined>;

  /**
   * Downloads the asset into a file, which is there whole or not at all: a connection that breaks is taken up where it was,
   * large ones come in parallel ranges, the bytes are checked against the asset's SHA-256, and after a crash the same call
   * goes on from what is there.
   *
   * @throws {StoryCoreError} `ConfigError` when the target is a directory, a device or a pipe, or its directory is not there,
   * `UploadError` when the file cannot be written or what arrived is not the asset, and as every call.
   */
  download(id: string, to: string | URL, options?: DownloadOptions): Promise<Asset>;

  /**
   * The asset's bytes as they arrive, for whoever passes them on; nothing is kept in memory or on disk. `signal` ends it at any
   * time with its reason.
   *
   * @throws {StoryCoreError} `NotFoundError` when there is no such asset, and as every call; while it is read `UploadError` when
   * the content became another one meanwhile.
   */
  contentStream(id: string, options?: CallOptions): Promise<ContentStream>;

  /**
   * Uploads a file, whatever its size, with flat memory: small ones in one request, larger ones in parallel parts that
   * survive broken connections. A file's upload survives a crash too: the same call then goes on from where it was.
   *
   * @throws {StoryCoreError} `UploadError` when the file cannot be read, changed meanwhile or arrived changed, and as every
   * call. Whatever it is, the same upload called again goes on from what the platform has. What a stream threw is the last
   * `cause`.
   */
  upload(source: UploadSource, options?: UploadOptions): Promise<Asset>;

  /** Uploads as `upload` does, and tells how that went. */
  uploadReport(source: UploadSource, options?: UploadOptions): Promise<UploadReport>;
}

export interface WaitOptions extends Omit<CallOptions, "timeout"> {
  /** How long to wait at most, in milliseconds. Default 30 minutes. The job goes on when it is over. */
  timeout?: number | undefined;
  /** Is told of the job each time that it is seen. What it throws ends the wait, which rejects with it. */
  onProgress?: ((job: Job) => void) | undefined;
}

export interface JobsByHand {
  /**
   * Waits until the job has completed. Aborting ends all traffic of the wait; the job goes on.
   *
   * @throws {StoryCoreError} `JobFailedError`, `JobCancelledError` or `WaitTimeoutError`, each carrying the job, and as
   * every call.
   */
  wait(id: string, options?: WaitOptions): Promise<Job>;
}
