// SPDX-License-Identifier: GPL-3.0-or-later

import { isAbsolute } from 'node:path';
import { CrfsError } from '../errors/error.js';
import type { ImageConfig } from '../registry/config.js';

/** How a container is to be run: what its image says, and what a person says beyond that. */
export interface RunRequest {
  readonly config: ImageConfig;
  /** What a person calls the image. */
  readonly image: string;
  /** Instead of the image's `cmd`. */
  readonly command: readonly string[];
  readonly interactive: boolean;
  readonly tty: boolean;
  /** `NAME=value`, or `NAME`: as it is here. */
  readonly env: readonly string[];
  /** `SOURCE:DIR[:OPTIONS]` */
  readonly volumes: readonly string[];
  readonly workdir?: string | undefined;
  readonly user?: string | undefined;
  readonly entrypoint?: string | undefined;
  readonly network?: string | undefined;
  readonly name?: string | undefined;
  /** For podman, as they are. */
  readonly options: readonly string[];
}

/** The program and its arguments, as podman puts them together. Throws CRFS_USAGE where there is none. */
export function argumentsOf({ config, image, command, entrypoint }: RunRequest): readonly string[] {
  const words =
    entrypoint === undefined
      ? [...config.entrypoint, ...(command.length > 0 ? command : config.cmd)]
      : [...wordsOf(entrypoint), ...command];
  if (words.length > 0) return words;
  throw new CrfsError('CRFS_USAGE', `${image} names no command to run: put one behind it`);
}

/**
 * Looks at options for podman, each with its value. Throws CRFS_USAGE for what podman would take for the image, and for
 * what would leave a container behind whose files go.
 */
export function checkOptions(options: readonly string[]): void {
  for (const option of options) {
    if (!/^--?[a-z]/i.test(option)) {
      throw new CrfsError('CRFS_USAGE', `-o ${option}: write an option of \`podman run\` in one, as -o --memory=1g`);
    }
    if (/^(--detach(=(?!false$).*)?|-[itPq]*d[itPqd]*)$/.test(option)) {
      throw new CrfsError(
        'CRFS_USAGE',
        `-o ${option}: \`crfs run\` stays until the container ends: put it into the background`,
      );
    }
  }
}

/** The image's variables. Of a name alone, without a value, engines make whatever the host has: those are left out. */
export function imageEnvironment({ env }: ImageConfig): readonly string[] {
  return env.filter((one) => /^[^=]+=/.test(one));
}

/** Where the image wants volumes, and none is put by hand. Throws CRFS_BAD_LAYER for what could mean another thing to an engine. */
export function imageVolumes({ config, image, volumes }: RunRequest): readonly string[] {
  const bad = config.volumes.find((path) => !isAbsolute(path) || /[:,\0]/.test(path));
  if (bad !== undefined) {
    throw new CrfsError('CRFS_BAD_LAYER', `the config of ${image} is broken: ${JSON.stringify(bad)} can be no volume`);
  }
  const taken = new Set(volumes.map((volume) => bare(volume.split(':')[volume.includes(':') ? 1 : 0] ?? '')));
  return config.volumes.filter((path) => !taken.has(bare(path)));
}

function bare(path: string): string {
  return path.replace(/(?<=.)\/+$/, '');
}

/** A list in JSON, or one word. */
function wordsOf(entrypoint: string): readonly string[] {
  try {
    const words: unknown = JSON.parse(entrypoint);
    if (Array.isArray(words) && words.every((word) => typeof word === 'string')) return words;
  } catch {
    // it is no JSON
  }
  return entrypoint === '' ? [] : [entrypoint];
}
