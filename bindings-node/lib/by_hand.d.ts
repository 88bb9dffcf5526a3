// What the generated declarations cannot say: uploads, and waiting for jobs.

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
  /** Is told of the progress, at most ten times a second. */
  onProgress?: ((progress: UploadProgress) => void) | undefined;
  /** Pauses, resumes and cancels it. */
  control?: UploadControl | undefined;
  /** The bytes of a chunk. Default: 5 to 64 MiB, so that each takes 2 to 8 s. */
  chunkSize?: number | undefined;
  /** The most requests side by side, from 1 to 16. Default 16: it begins with 4 and adds while that brings more. */
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
  /** Requests that failed and were made good. */
  failures: number;
  /** What had to be begun anew, and why, in words. */
  restarts: string[];
}

/** Steers the upload that it was given to. */
export class UploadControl {
  /** Stops the requests at once; what arrived is kept. */
  pause(): void;
  /** Goes on from where the platform is. */
  resume(): void;
  /** Ends the upload with `CallCancelledError`, and takes back what the platform has of it. */
  cancel(): void;
}

export interface AssetsByHand {
  /**
   * Uploads a file, whatever its size, with flat memory: small ones in one request, larger ones in parallel parts that
   * survive broken connections. A file's upload survives a crash too: the same call then goes on from where it was.
   *
   * @throws {StoryCoreError} `UploadError` when the file cannot be read, changed meanwhile or arrived changed, and as every
   * call. Whatever it is, the same upload called again goes on from what the platform has.
   */
  upload(source: UploadSource, options?: UploadOptions): Promise<Asset>;

  /** Uploads as `upload` does, and tells how that went. */
  uploadReport(source: UploadSource, options?: UploadOptions): Promise<UploadReport>;
}

export interface WaitOptions extends Omit<CallOptions, "timeout"> {
  /** How long to wait at most, in milliseconds. Default 30 minutes. The job goes on when it is over. */
  timeout?: number | undefined;
  /** Is told of the job each time that it is seen. */
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
