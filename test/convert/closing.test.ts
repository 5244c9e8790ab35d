// SPDX-License-Identifier: GPL-3.0-or-later

/** What fails leaves no file open: Node.js warns of those that it finds as garbage, and ends the process from version 25 on. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { Deflater } from '../../src/main/convert/deflater.js';
import { convertFile, type FileOptions } from '../../src/main/convert/file.js';
import { CrfsError } from '../../src/main/errors/error.js';
import { archiveFiles } from '../../src/main/images/files.js';
import type { AnyLayerSource } from '../../src/main/inspect/found-image.js';
import { verifyImage } from '../../src/main/inspect/verify.js';
import { Workspace } from '../../src/main/inspect/workspace.js';
import { silent } from '../../src/main/output/progress.js';
import { noise } from '../tools/content.js';
import { tarEnd, tarEntry } from '../tools/tar-writer.js';
import { scratch } from './setting.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const warnings: string[] = [];
process.on('warning', ({ message }) => warnings.push(message));

/** Resolves when whatever is garbage by now has been found, and told of. */
async function collected(): Promise<void> {
  const garbage = new WeakRef({});
  while (garbage.deref() !== undefined) {
    await turn();
    collectGarbage();
  }
  for (let turns = 0; turns < 10; turns++) await turn();
}

const sound = Buffer.concat([tarEntry({ name: 'a', content: noise(3 << 20) }), tarEntry({ name: 'b' }), tarEnd]);
const broken = Buffer.concat([sound.subarray(0, -1024), Buffer.alloc(512, 'no tar')]);
const INPUTS = {
  'a tar that breaks off': sound.subarray(0, 2 << 20),
  'a tar with a broken header': broken,
  'a gzip stream that breaks off': gzipSync(sound).subarray(0, 1 << 20),
  'gzip of a broken tar': gzipSync(broken),
  'a hardlink that leads nowhere': Buffer.concat([tarEntry({ name: 'a', type: '1', linkname: 'none' }), sound]),
  'another compression': Buffer.concat([Buffer.from('BZh91AY&SY'), noise(2 << 20)]),
};

async function refuses(t: ExecutionContext, work: () => Promise<unknown>): Promise<void> {
  await t.throwsAsync(work, { instanceOf: CrfsError });
}

test.serial('a conversion of a layer that fails leaves no file open', async (t) => {
  const directory = scratch(t);
  mkdirSync(join(directory, 'there'));
  const source = join(directory, 'source');
  const deflater = new Deflater({ workers: 1 });
  const convert = async (to: string, options: Partial<FileOptions> = {}): Promise<void> => {
    await convertFile(source, join(directory, to), { deflater, ...options });
  };
  for (const bytes of Object.values(INPUTS)) {
    writeFileSync(source, bytes);
    await refuses(t, () => convert('to'));
    await refuses(t, () => convert('to', { prioritize: ['b'] }));
  }
  writeFileSync(source, sound);
  await refuses(t, () => convert('there'));
  const { TMPDIR } = process.env;
  process.env['TMPDIR'] = join(directory, 'none');
  await refuses(t, () => convert('to'));
  if (TMPDIR === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = TMPDIR;
  await refuses(t, () => convert('none/to'));
  const controller = new AbortController();
  const stopped = convert('to', {
    signal: controller.signal,
    onProgress: () => controller.abort(new CrfsError('CRFS_USAGE', 'x')),
  });
  await refuses(t, () => stopped);
  await deflater.close();
  await collected();
  t.deepEqual(warnings, []);
});

test.serial('an archive that cannot be read leaves no file open', async (t) => {
  const archive = join(scratch(t), 'archive');
  for (const bytes of Object.values(INPUTS)) {
    writeFileSync(archive, bytes);
    await refuses(t, () => archiveFiles(archive));
  }
  await collected();
  t.deepEqual(warnings, []);
});

test.serial('a layer that cannot be fetched to be verified leaves no file open', async (t) => {
  const workspace = new Workspace({});
  const layer: AnyLayerSource = {
    name: 'layer',
    identity: 'layer',
    openToc: async () => undefined,
    open: async () => ({
      name: 'layer',
      size: 5,
      read: async () => await Promise.reject(new CrfsError('CRFS_UNREACHABLE', 'gone')),
      close: async () => undefined,
    }),
  };
  const image = {
    name: 'image',
    resolved: 'image',
    layers: [layer],
    config: async () => undefined,
    diffIds: async () => [],
  };
  const problems: string[] = [];
  await verifyImage(image, workspace, silent, (report) => problems.push(...report.problems));
  t.deepEqual(problems, ['gone']);
  await workspace.close();
  await collected();
  t.deepEqual(warnings, []);
});
