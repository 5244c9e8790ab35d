// SPDX-License-Identifier: GPL-3.0-or-later

import { run } from '../../test/tools/run.js';
import type { Work } from './remote.js';

/** What is run in the containers. */
export const programs = {
  'sh -c echo': ['/bin/sh', '-c', 'echo hello'],
  'python3 -c print': ['/usr/bin/python3', '-c', 'print("hello")'],
  'python3, large imports': [
    '/usr/bin/python3',
    '-c',
    'import argparse, asyncio, concurrent.futures, ctypes, decimal, email.message, http.client, json, logging.config, ' +
      'multiprocessing, sqlite3, ssl, tarfile, unittest, urllib.request, xml.etree.ElementTree, zipfile; print("hello")',
  ],
} as const;

export type ProgramName = keyof typeof programs;

/** Runs a program to its end. */
export function running(program: ProgramName): Work {
  return async (tree) => {
    const said = String(await run('chroot', [tree, ...programs[program]]));
    if (said !== 'hello\n') throw new Error(`${program} printed ${JSON.stringify(said)}`);
    return undefined;
  };
}
