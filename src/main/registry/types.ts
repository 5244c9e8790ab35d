// SPDX-License-Identifier: GPL-3.0-or-later

/** What the registry client hands out and takes in. */

/** An image's name, taken apart: `registry/repository[:tag][@digest]`. At least one of tag and digest is set. */
export interface Reference {
  /** `host[:port]`, as a person writes it (`docker.io`, not the host that serves its API). */
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string;
  /** `sha256:` and 64 hex digits; it wins over the tag. */
  readonly digest?: string;
}

/** As in an OCI image index: `linux/arm64/v8` is os, architecture, variant. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** What a manifest says of a blob, or an index of a manifest; checked: a sha256 digest, a size that is a safe integer. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
  /** Where else the blob may be had. */
  readonly urls?: readonly string[] | undefined;
}

/** The manifest of one image for one platform, OCI or Docker schema 2. */
export interface ImageManifest {
  readonly mediaType: string;
  readonly digest: string;
  /** The manifest byte for byte, as its digest covers it. */
  readonly bytes: Uint8Array;
  readonly config: Descriptor;
  /** Base first. */
  readonly layers: readonly Descriptor[];
  readonly annotations: Readonly<Record<string, string>>;
}

/** An index or manifest list: the manifests that it names, each with its platform where it states one. */
export interface ImageIndex {
  readonly mediaType: string;
  readonly digest: string;
  readonly bytes: Uint8Array;
  readonly manifests: readonly (Descriptor & {
    readonly platform?: Platform;
    /** Of what is attached to an image: what it is; '' where that is not said. */
    readonly artifactType: string;
  })[];
}

/** Keeps manifests by digest, so that what was seen once needs no registry. The bytes are checked by whoever asks. */
export interface ManifestStore {
  get(digest: string): Promise<Uint8Array | undefined>;
  put(digest: string, bytes: Uint8Array): Promise<void>;
}
