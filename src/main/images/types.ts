// SPDX-License-Identifier: GPL-3.0-or-later

/** Images to read and to write, wherever they are. */

import type { BlobSink } from '../blob/sink.js';
import type { StreamSource } from '../blob/source.js';
import type { Descriptor, ImageIndex, ImageManifest } from '../registry/types.js';

/** Where an image comes from. Everything rejects with CrfsErrors that name it. */
export interface ImageSource {
  readonly name: string;
  /** The repository, where it is one of a registry: another of that registry may take blobs over from it. */
  readonly repository?: { readonly registry: string; readonly repository: string };
  /** The manifest or index that the name stands for. */
  top(): Promise<ImageManifest | ImageIndex>;
  /** A manifest or index that an index names. */
  manifest(digest: string): Promise<ImageManifest | ImageIndex>;
  openBlob(descriptor: Descriptor): Promise<StreamSource>;
  /** The path of a blob's file, where blobs are files of their own: whether it is there is not looked at. */
  readonly pathOf?: (descriptor: Descriptor) => string;
  close(): Promise<void>;
}

/** A blob on its way: its digest is known when all of it is written. */
export interface BlobWriter extends BlobSink {
  /** Ends the writing: the blob is there from now on. */
  commit(digest: string): Promise<void>;
  /** Gives the blob up: nothing of it stays. */
  cancel(): Promise<void>;
}

/** Where an image goes. Everything rejects with CrfsErrors that name it. */
export interface ImageDestination {
  readonly name: string;
  /** Readers of it do not look for Docker's media types. */
  readonly ociOnly: boolean;
  /** It has no place for an index. */
  readonly oneImage: boolean;
  /** Whether the blob is there, or could be taken over from the source without its bytes passing through here. */
  hasBlob(digest: string, from: ImageSource): Promise<boolean>;
  beginBlob(): Promise<BlobWriter>;
  /** Writes a manifest or index that another one will name. */
  putManifest(mediaType: string, bytes: Uint8Array): Promise<void>;
  /** Writes the manifest or index that the destination's name stands for from now on: the last step. */
  publish(mediaType: string, bytes: Uint8Array): Promise<void>;
  /** Ends the work; what was written without being published is taken away where that is possible. */
  close(): Promise<void>;
}
