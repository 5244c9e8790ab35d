// SPDX-License-Identifier: GPL-3.0-or-later

/** One thing after the other that is done to a machine, each of which can be told instead. */

import { lstatSync, mkdirSync, readFileSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { writeWhole } from '../blob/write-whole.js';
import { look } from '../daemon/processes.js';
import { makeDirectories } from '../disk/make-directories.js';
import { CrfsError } from '../errors/error.js';

export interface Step {
  /** What it does, for a person: one line, and the lines that it changes in a file. */
  readonly says: string;
  readonly act: () => Promise<void> | void;
}

/** Makes a directory, unless it is there. */
export function makeDirectory(path: string, mode: number): Step[] {
  if (isThere(path)) return [];
  return [
    {
      says: `make the directory ${path}`,
      act: () => {
        makeDirectories(dirname(path));
        mkdirSync(path, mode);
      },
    },
  ];
}

/** Writes a file, unless it says that already; what is changed is told by lines. */
export function writeFile(path: string, text: string): Step[] {
  const before = textOf(path);
  if (before === text) return [];
  const mode = look(() => statSync(path).mode & 0o7777) ?? 0o644;
  return [
    {
      says: `${before === undefined ? 'make' : 'change'} ${path}${changes(before ?? '', text)}`,
      act: async () => {
        makeDirectories(dirname(path));
        await writeWhole(path, async (file) => {
          await file.chmod(mode);
          await file.writeFile(text);
        });
      },
    },
  ];
}

export function removeFile(path: string): Step[] {
  if (textOf(path) === undefined) return [];
  return [{ says: `remove ${path}`, act: () => rmSync(path) }];
}

/** Removes a directory that is empty. */
export function removeDirectory(path: string): Step[] {
  if (!isThere(path)) return [];
  return [
    {
      says: `remove the directory ${path}`,
      act: () => {
        try {
          rmdirSync(path);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
          throw new CrfsError(
            'CRFS_USAGE',
            `${path} is still mounted: run \`crfs umount ${path}\`, and do this again`,
            {
              cause: error,
            },
          );
        }
      },
    },
  ];
}

/** What a file says; undefined where there is none. */
export function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The lines that are new, and those that have gone: what stands between the same beginning and the same end. */
function changes(before: string, after: string): string {
  const [old, fresh] = [before, after].map((text) => text.split('\n')) as [string[], string[]];
  let same = 0;
  while (same < Math.min(old.length, fresh.length) && old[same] === fresh[same]) same++;
  while (old.length > same && fresh.length > same && old.at(-1) === fresh.at(-1)) {
    old.pop();
    fresh.pop();
  }
  const lines = [...old.slice(same).map((line) => `- ${line}`), ...fresh.slice(same).map((line) => `+ ${line}`)];
  return lines.map((line) => `\n    ${line}`).join('');
}

/** Whether there is something, also a mountpoint whose server has ended. */
function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}
