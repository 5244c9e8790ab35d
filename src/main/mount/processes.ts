// SPDX-License-Identifier: GPL-3.0-or-later

/** Processes as proc(5) shows them: what cannot be seen of one, since it has ended or is another user's, is left out. */

import { readdirSync, readFileSync } from 'node:fs';
import { linkOf, look } from '../daemon/processes.js';

export interface Process {
  readonly pid: number;
  /** Of its program, up to 15 letters. */
  readonly name: string;
}

/** All processes but this one. */
export function processes(): Process[] {
  const pids = readdirSync('/proc').map(Number);
  return pids.flatMap((pid) => {
    const name = pid > 0 && pid !== process.pid ? look(() => readFileSync(`/proc/${pid}/comm`, 'utf8')) : undefined;
    return name === undefined ? [] : [{ pid, name: name.trimEnd() }];
  });
}

/** The paths of files that a process has open. */
export function openFilesOf(pid: number): string[] {
  const fds = look(() => readdirSync(`/proc/${pid}/fd`)) ?? [];
  return fds.flatMap((fd) => linkOf(pid, `fd/${fd}`) ?? []);
}

/** The arguments of a process. */
export function argumentsOf(pid: number): string[] {
  return look(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1)) ?? [];
}

/** The environment that a process was started with. */
export function environmentOf(pid: number): Record<string, string> {
  const all = look(() => readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')) ?? [];
  return Object.fromEntries(
    all.flatMap((one) => {
      const end = one.indexOf('=');
      return end > 0 ? [[one.slice(0, end), one.slice(end + 1)]] : [];
    }),
  );
}

/** The processes that work in a directory, or have something in it open, mapped or running. */
export function usersOf(directory: string): Process[] {
  const within = (path = ''): boolean => path === directory || path.startsWith(`${directory}/`);
  return processes().filter(({ pid }) => {
    if (['cwd', 'root', 'exe'].some((link) => within(linkOf(pid, link))) || openFilesOf(pid).some(within)) return true;
    return look(() => readFileSync(`/proc/${pid}/maps`, 'utf8').includes(` ${directory}/`)) ?? false;
  });
}
