// SPDX-License-Identifier: GPL-3.0-or-later

/** By what this machine can mount layers, as far as that is seen without mounting any. */

import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { release } from 'node:os';
import { promisify } from 'node:util';
import { reasonOf } from '../errors/reason.js';
import type { Driver } from './driver.js';
import { checkHost, HOST } from './host.js';
import { findLower, LOWER } from './lower.js';

/** A driver on this machine. */
export interface Available {
  /** Of the kernel, or of fuse-overlayfs; null where it is not known. */
  readonly version: string | null;
  /** Why it cannot mount layers; null: nothing is known against it. */
  readonly why: string | null;
}

/** The first Linux whose overlay takes mounts of user namespaces, and gives what crfs-lower needs. */
const OLDEST = [5, 11] as const;

/** All drivers, with why one cannot be had. Never rejects. */
export async function availableDrivers(): Promise<Record<Driver, Available>> {
  return { overlay: await overlay(), [HOST]: await host() };
}

/** The version of libfuse with which crfs-lower runs; undefined where it does not. */
export async function libfuseVersion(): Promise<string | undefined> {
  return await askLower().catch(() => undefined);
}

/** Why /dev/fuse cannot be used; undefined: it can. */
export function whyNoFuse(): string | undefined {
  return said(() => accessSync('/dev/fuse', constants.R_OK | constants.W_OK), '/dev/fuse');
}

async function overlay(): Promise<Available> {
  const version = `Linux ${release()}`;
  const [major = 0, minor = 0] = release()
    .split('.')
    .map((part) => Number.parseInt(part, 10));
  const isOld = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
  const old = isOld ? `${version} is too old: it takes ${OLDEST.join('.')}` : undefined;
  const lower = await askLower().then(
    () => undefined,
    (error: unknown) => `${LOWER}: ${reasonOf(error)}`,
  );
  return { version, why: old ?? whyNoFuse() ?? lower ?? null };
}

async function host(): Promise<Available> {
  try {
    return { version: await checkHost(), why: whyNoFuse() ?? null };
  } catch (error) {
    return { version: null, why: reasonOf(error) };
  }
}

async function askLower(): Promise<string> {
  const { stdout } = await promisify(execFile)(findLower(), ['--version']).catch((error: { stderr?: string }) => {
    const told = error.stderr?.trim().split('\n').at(-1);
    throw told ? new Error(told) : error;
  });
  return stdout.trim();
}

function said(what: () => void, name: string): string | undefined {
  try {
    what();
    return undefined;
  } catch (error) {
    return `${name}: ${reasonOf(error)}`;
  }
}
