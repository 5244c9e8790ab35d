// SPDX-License-Identifier: GPL-3.0-or-later

/** Which image of an index is for which machine (OCI image index, `platform`). */

import * as v from 'valibot';
import { CrfsError } from '../errors/error.js';
import { anyText, table } from '../schema/schemas.js';
import type { ImageIndex, Platform } from './types.js';

/** Go's names, where they are not Node's. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  ppc64: 'ppc64le',
  mipsel: 'mipsle',
};
/** What an architecture without a variant means. */
const DEFAULT_VARIANTS: Readonly<Record<string, string>> = { arm: 'v7', arm64: 'v8' };

/** The platform of this machine. */
export function machinePlatform(): Platform {
  const architecture = ARCHITECTURES[process.arch] ?? process.arch;
  const { arm_version: version } = process.config.variables as { arm_version?: unknown };
  return {
    os: 'linux',
    architecture,
    ...(architecture === 'arm' && typeof version === 'string' && { variant: `v${version}` }),
  };
}

/** Parses `os/architecture[/variant]`. Throws CRFS_USAGE. */
export function parsePlatform(text: string): Platform {
  const [os = '', architecture = '', variant, ...more] = text.split('/');
  if (more.length > 0 || ![os, architecture, variant ?? 'v'].every((part) => /^[a-z0-9_.]+$/.test(part))) {
    throw new CrfsError(
      'CRFS_USAGE',
      `${JSON.stringify(text)} is not a platform: write it like linux/arm64 or linux/arm/v7`,
    );
  }
  return { os, architecture, ...(variant !== undefined && { variant }) };
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

function variantOf({ architecture, variant }: Platform): string | undefined {
  return variant ?? DEFAULT_VARIANTS[architecture];
}

/** How well an image for `found` runs where `wanted` is asked for: 0 exactly, more for older variants, undefined not at all. */
function distance(wanted: Platform, found: Platform): number | undefined {
  if (wanted.os !== found.os || wanted.architecture !== found.architecture) return undefined;
  const [ours, theirs] = [variantOf(wanted), variantOf(found)];
  if (ours === theirs) return 0;
  if (theirs === undefined) return 50;
  const [newest, built] = [ours, theirs].map((variant) =>
    Number(/^v(\d+)$/.exec(variant ?? 'v1')?.[1] ?? Number.NaN),
  ) as [number, number];
  return built <= newest ? newest - built : undefined;
}

/** A config says for which platform it is; one that does not, or is broken, warns of nothing. */
const platformSchema = v.fallback(table({ os: anyText, architecture: anyText, variant: v.optional(anyText, '') }), {
  os: '',
  architecture: '',
  variant: '',
});

/** What to warn of if an image, as its config says, is for another platform than the one asked for; undefined if it fits, or is silent. */
export function platformWarning(name: string, wanted: Platform, config: Uint8Array): string | undefined {
  const { os, architecture, variant } = v.parse(platformSchema, valueOrNothing(config));
  if (os === '' || architecture === '') return undefined;
  const found = { os, architecture, ...(variant !== '' && { variant }) };
  if (distance(wanted, found) !== undefined) return undefined;
  return `${name} is for ${formatPlatform(found)}, not for ${formatPlatform(wanted)}, and there is no other`;
}

function valueOrNothing(config: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(config).toString());
  } catch {
    return undefined;
  }
}

/**
 * The manifest of `index` for `wanted`: the first of those that fit best; else the first that does not say for which platform
 * it is, as containers/image has it. Throws CRFS_NOT_FOUND, naming what there is.
 */
export function choosePlatform(index: ImageIndex, wanted: Platform, name: string): ImageIndex['manifests'][number] {
  let best: { readonly entry: ImageIndex['manifests'][number]; readonly far: number } | undefined;
  for (const entry of index.manifests) {
    const far = entry.platform && distance(wanted, entry.platform);
    if (far !== undefined && far < (best?.far ?? Infinity)) best = { entry, far };
  }
  const found = best?.entry ?? index.manifests.find(({ platform }) => platform === undefined);
  if (found !== undefined) return found;
  const there = new Set(index.manifests.flatMap(({ platform }) => (platform ? [formatPlatform(platform)] : [])));
  const list = [...there].slice(0, 20).join(', ') || 'none that states one';
  throw new CrfsError('CRFS_NOT_FOUND', `${name} has no image for ${formatPlatform(wanted)}; there are: ${list}`);
}
