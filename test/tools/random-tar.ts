// SPDX-License-Identifier: GPL-3.0-or-later

/** Tars at random: every type of entry, names used again for something else, symlinks on the way, in odd orders. */

import { type TarEntry, type TarForm, tarEnd, tarEntry } from './tar-writer.js';

export interface RandomTar {
  readonly bytes: Buffer;
  readonly entries: readonly TarEntry[];
  /** What to convert it with: paths and globs wanted at start, if there are any. */
  readonly prioritize?: readonly string[];
  readonly chunkSize: number;
  readonly minChunkSize: number;
}

const NAMES = ['a', 'b', 'c', 'd', Buffer.from([0x63, 0xe9]), Buffer.from([0x63, 0xe8]), 'l'.repeat(130)] as const;
const GLOBS = ['*', '**', 'a/**', '*/a', '**/b', '?', 'd'];
const TYPES = ['file', 'file', 'file', 'directory', 'directory', 'symlink', 'hardlink', 'hardlink', 'device', 'fifo'];

/** The tar of a seed, always the same. */
export function randomTar(seed: number): RandomTar {
  return new Maker(seed).make();
}

class Maker {
  #state: number;
  readonly #entries: TarEntry[] = [];
  readonly #directories: Buffer[] = [Buffer.alloc(0)];
  readonly #others: Buffer[] = [];

  constructor(seed: number) {
    this.#state = Math.imul(seed, 2654435761) >>> 0;
  }

  make(): RandomTar {
    const form: TarForm = this.#chance(0.3) ? 'gnu' : 'pax';
    const count = 2 + this.#below(this.#chance(0.3) ? 24 : 9);
    for (let i = 0; i < count; i++) this.#entries.push(this.#entry(form, i));
    const shuffled = this.#chance(0.1) ? this.#entries.toSorted(() => this.#next() - 0.5) : this.#entries;
    const bytes = Buffer.concat([...shuffled.map((entry) => tarEntry(entry, form)), tarEnd]);
    const wanted = Array.from({ length: this.#below(4) }, () =>
      this.#chance(0.4) ? this.#pick(GLOBS) : this.#pick([...this.#others, ...this.#directories]).toString(),
    );
    const prioritize = wanted.length > 0 && this.#chance(0.8) ? { prioritize: wanted } : {};
    return {
      bytes,
      entries: shuffled,
      ...prioritize,
      chunkSize: this.#pick([512, 1024, 4 << 20]),
      minChunkSize: this.#pick([0, 0, 3000]),
    };
  }

  #entry(form: TarForm, number: number): TarEntry {
    const type = this.#pick(TYPES);
    const path = this.#path();
    const written = { ...this.#facts(form, number), name: this.#written(path) };
    if (type === 'directory') {
      this.#directories.push(path);
      const name = this.#chance(0.1) ? './' : Buffer.concat([written.name, Buffer.from('/')]);
      return { ...written, name, type: '5', ...this.#xattrs(form, 'user.d') };
    }
    const earlier = this.#others.length > 0 ? this.#pick(this.#others) : undefined;
    if (type === 'symlink' && this.#chance(0.5))
      this.#directories.push(path); // as if it led to one
    else this.#others.push(path);
    if (type === 'hardlink' && earlier !== undefined) {
      return { ...written, type: '1', linkname: this.#written(this.#chance(0.1) ? this.#path() : earlier) };
    }
    if (type === 'symlink') {
      const linkname = this.#chance(0.2) ? `../nowhere-${number}` : this.#pick([...this.#directories, 'a', 'b', 'a/b']);
      return {
        ...written,
        type: '2',
        mode: 0o777,
        linkname: linkname.length > 0 ? linkname : '.',
        ...this.#xattrs(form, 'trusted.s'),
      };
    }
    if (type === 'device') {
      return {
        ...written,
        type: this.#pick(['3', '4']),
        devmajor: this.#below(4096),
        devminor: 1 + this.#below(1048575),
      };
    }
    if (type === 'fifo') return { ...written, type: '6' };
    return { ...written, ...this.#content(), ...this.#xattrs(form, 'user.f') };
  }

  #content(): Pick<TarEntry, 'content' | 'sparse'> {
    if (this.#chance(0.9)) return { content: this.#bytes(this.#below(3000)) };
    const parts = 1 + this.#below(30);
    const map = Array.from({ length: parts }, (_, part) => [part * 2048, 512] as const);
    const size = parts * 2048;
    return { content: this.#bytes(parts * 512), sparse: { size, map: [...map, [size, 0]] } }; // which ends the file, as GNU tar has it
  }

  /** Times are of one entry each, so that it can be told which one a file has its facts of. */
  #facts(form: TarForm, number: number): Partial<TarEntry> {
    const fraction = form === 'pax' && this.#chance(0.5) ? { mtimeNsec: this.#below(1e9) } : {};
    return {
      mode: this.#pick([0o644, 0o755, 0o600, 0o4755, 0o2711, 0o1777, 0, 0o7777]),
      uid: this.#pick([0, 1000, 65534, 2 ** 21, 2 ** 32 - 2]),
      gid: this.#pick([0, 7, 2 ** 31]),
      mtime: this.#pick([0, 1_500_000_000, -1_000_000, 2 ** 33]) + number * 1000 + this.#below(1000),
      ...fraction,
    };
  }

  #xattrs(form: TarForm, name: string): Pick<TarEntry, 'xattrs'> {
    return form === 'pax' && this.#chance(0.15) ? { xattrs: { [name]: this.#bytes(this.#below(40)) } } : {};
  }

  /** A path in a directory that may have been there before, or not. */
  #path(): Buffer {
    const name = Buffer.from(this.#pick(NAMES));
    const directory = this.#chance(0.7) ? this.#pick(this.#directories) : Buffer.from(this.#pick(NAMES));
    const isDeep = directory.length > 400;
    return directory.length === 0 || isDeep ? name : Buffer.concat([directory, Buffer.from('/'), name]);
  }

  /** The same path as others may write it. */
  #written(path: Buffer): Buffer {
    const text = path.toString('latin1');
    const forms = [text, text, text, `./${text}`, text.replaceAll('/', '//'), text.replaceAll('/', '/./')];
    return Buffer.from(this.#pick(forms), 'latin1');
  }

  #bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.#below(256)));
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#below(items.length)] as T;
  }

  #chance(share: number): boolean {
    return this.#next() < share;
  }

  #below(limit: number): number {
    return Math.floor(this.#next() * limit);
  }

  /** A number in [0, 1). */
  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0; // mulberry32
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
}
