// SPDX-License-Identifier: GPL-3.0-or-later

/** The layers that are measured, each made once and kept, and the trees that they were made of. */

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileSink } from '../../src/main/blob/file-sink.js';
import { writeWhole } from '../../src/main/blob/write-whole.js';
import { Deflater } from '../../src/main/convert/deflater.js';
import { convertFile } from '../../src/main/convert/file.js';
import type { OutputFormat } from '../../src/main/convert/form.js';
import { convertLayer } from '../../src/main/convert/layer.js';
import { run } from '../../test/tools/run.js';
import type { Lower } from '../machines/mount-command.js';
import { top } from '../paths.js';
import { say } from '../say.js';
import { SERVICE_PACKAGES } from '../starts/services.js';
import { chunksOf, type FileChunk } from './chunks.js';
import { writeFiles } from './files.js';
import { writeLarge } from './large.js';
import { cutTree } from './parts.js';
import { syntheticTar } from './synthetic.js';

export interface Debian extends Lower {
  readonly tar: string;
  readonly path: string;
}

/** A layer of many files of one size, and the same files as eight layers. */
export interface ParallelData {
  readonly one: Lower & { readonly path: string };
  readonly eight: readonly Lower[];
}

/** A layer with a large file, and where the chunks of that are. */
export interface Large extends Lower {
  readonly path: string;
  readonly chunks: readonly FileChunk[];
}

export class Data {
  readonly #debian: string;
  readonly #directory: string;
  readonly #format: OutputFormat;

  /** `debian`: where scripts/debian-layer has made its layer, or will; `directory`: for all other layers. */
  constructor(debian: string, directory: string, format: OutputFormat) {
    this.#debian = debian;
    this.#directory = directory;
    this.#format = format;
    mkdirSync(directory, { recursive: true });
  }

  /** A Debian root file system with python3. */
  async debian(): Promise<Debian> {
    const tar = join(this.#debian, 'debian.tar');
    if (!existsSync(join(this.#debian, 'debian.esgz'))) say('* Making a Debian root file system (once)');
    await run(join(top, 'scripts/debian-layer'), [this.#debian]);
    const path = await this.#layer('debian', tar);
    return { tree: join(this.#debian, 'root'), tar, path, layer: `file://${path}` };
  }

  /** The same, with some files at the front, behind a landmark. */
  async prioritized(files: readonly string[]): Promise<string> {
    const { tar } = await this.debian();
    const list = createHash('sha256').update(files.join('\0')).digest('hex').slice(0, 8);
    return await this.#once(`debian-prioritized-${list}.esgz`, (part) => this.#convert(tar, part, files));
  }

  /** The Debian tree cut into so many layers. Returns their paths. */
  async parts(count: number): Promise<string[]> {
    const { tree } = await this.debian();
    const directory = await this.#once(`parts-${count}-${this.#suffix}`, async (part) => {
      mkdirSync(part);
      await cutTree(tree, count, part, async (tar, n) => {
        await this.#convert(tar, join(part, String(n)));
        rmSync(tar);
      });
    });
    return Array.from({ length: count }, (_, n) => join(directory, String(n)));
  }

  /** The Debian tar as an ordinary layer. */
  async gzipped(): Promise<string> {
    const { tar } = await this.debian();
    return await this.#once('debian.tar.gz', (part) => gzipped(tar, part));
  }

  /** A Debian root file system with services (bench/starts/services.ts), as a layer and as an ordinary one. */
  async services(): Promise<{ readonly path: string; readonly gzip: string }> {
    const directory = join(this.#debian, 'services'); // not where the compiler looks for sources
    if (!existsSync(join(directory, 'debian.esgz'))) say('* Making a Debian root file system with services (once)');
    await run(join(top, 'scripts/debian-layer'), [directory, ...SERVICE_PACKAGES]);
    const gzip = await this.#once('services.tar.gz', (part) => gzipped(join(directory, 'debian.tar'), part));
    return { path: join(directory, 'debian.esgz'), gzip };
  }

  /** A layer of so many entries; there is no extracted tree of it. */
  async synthetic(entries: number): Promise<Lower> {
    const path = await this.#once(`synthetic-${entries}.${this.#suffix}`, async (part) => {
      const deflater = new Deflater({ workers: cpus().length });
      await writeWhole(part, async (file) => {
        await convertLayer(syntheticTar(entries), fileSink(file), {
          name: 'synthetic',
          deflater,
          format: this.#format,
        });
      });
      await deflater.close();
    });
    return { tree: '', layer: `file://${path}` };
  }

  /** Files that parallel readers read: 8,192 small ones of 4 KB, or 16 large ones of 64 MB in 16 chunks each. */
  async parallel(files: 'small' | 'large'): Promise<ParallelData> {
    const { tar } = await this.debian();
    const tree = await this.#once(files, (part) => writeFiles(part, tar, files));
    const path = await this.#layer(files, tree);
    const eight: Lower[] = [];
    for (let n = 0; n < 8; n++) {
      const part = join(tree, String(n));
      eight.push({ tree: part, layer: `file://${await this.#layer(`${files}-${n}`, part)}` });
    }
    return { one: { tree, layer: `file://${path}`, path }, eight };
  }

  /** A layer with one large file of so many bytes, and small ones: bench/data/large.ts. */
  async large(size: number): Promise<Large> {
    const { tar } = await this.debian();
    const name = `large-${size / 2 ** 20}`;
    const tree = await this.#once(name, (part) => writeLarge(part, tar, size));
    const path = await this.#layer(name, tree);
    return { tree, layer: `file://${path}`, path, chunks: chunksOf(path, 'large') };
  }

  get #suffix(): string {
    return this.#format === 'estargz' ? 'esgz' : 'stargz';
  }

  /** The layer of a tar, or of a directory. */
  async #layer(name: string, source: string): Promise<string> {
    if (source.endsWith('debian.tar') && this.#format === 'estargz') return join(this.#debian, 'debian.esgz');
    return await this.#once(`${name}.${this.#suffix}`, async (part) => {
      if (source.endsWith('.tar')) {
        await this.#convert(source, part);
        return;
      }
      const tar = `${part}.tar`;
      await run('tar', ['-C', source, '-cf', tar, '.']);
      await this.#convert(tar, part);
      rmSync(tar);
    });
  }

  async #convert(tar: string, path: string, prioritize?: readonly string[]): Promise<void> {
    const deflater = new Deflater({ workers: cpus().length });
    await convertFile(tar, path, { deflater, format: this.#format, ...(prioritize ? { prioritize } : {}) });
    await deflater.close();
  }

  /** A file or directory that is made unless it is there, whole or not at all. */
  async #once(name: string, make: (part: string) => Promise<void>): Promise<string> {
    const path = join(this.#directory, name);
    if (existsSync(path)) return path;
    say(`* Making ${name} (once)`);
    const part = `${path}.part`;
    rmSync(part, { recursive: true, force: true });
    await make(part);
    renameSync(part, path);
    return path;
  }
}

async function gzipped(tar: string, path: string): Promise<void> {
  await run('sh', ['-c', 'pigz -6 -c "$1" >"$2"', 'sh', tar, path]);
}
