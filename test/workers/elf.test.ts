// SPDX-License-Identifier: GPL-3.0-or-later

import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import test from 'ava';
import { needsOf } from '../../src/workers/prefetch/elf.js';

function needs(path: string): ReturnType<typeof needsOf> {
  const fd = openSync(path, 'r');
  try {
    return needsOf(fd);
  } finally {
    closeSync(fd);
  }
}

test('a program needs its interpreter, and the libraries that the loader says', (t) => {
  const said = execFileSync('ldd', [process.execPath], { encoding: 'utf8' });
  const loaded = [...said.matchAll(/^\s+(\/?\S+?\.so\S*)/gm)].map(([, name = '']) => basename(name));
  const found = needs(process.execPath);
  t.deepEqual(
    found?.names.filter((name) => name !== 'ld.so.cache' && !loaded.includes(name)),
    [],
  );
  for (const name of loaded.filter((one) => /^(libc|ld-)/.test(one))) t.true(found?.names.includes(name), name);
  t.true(found?.directories.includes('usr/lib'));
});

test('what is no program needs nothing', (t) => {
  t.is(needs('/dev/null'), undefined);
  t.is(needs('/etc/passwd'), undefined);
});

test('a program whose headers make no sense does no harm', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'crfs-elf-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'program');
  const program = readFileSync('/bin/sh');
  for (let round = 0; round < 500; round++) {
    const bytes = Buffer.from(program.subarray(0, 4096));
    for (let i = 0; i < 8; i++) bytes[4 + ((round * 31 + i * 97) % 1000)] = (round * 7 + i * 13) & 0xff;
    writeFileSync(path, bytes);
    t.notThrows(() => needs(path));
  }
});
