// SPDX-License-Identifier: GPL-3.0-or-later

import { tarEnd, tarEntry } from '../../test/tools/tar-writer.js';

const PER_DIRECTORY = 1000;
const BATCH = 1 << 20;

/** A tar with so many entries: directories of a thousand entries each, themselves included, small files in them. */
export async function* syntheticTar(entries: number): AsyncGenerator<Uint8Array> {
  let batch: Uint8Array[] = [];
  let bytes = 0;
  for (let n = 0; n < entries; n++) {
    const directory = `srv/package-${String(Math.floor(n / PER_DIRECTORY)).padStart(4, '0')}`;
    const inside = n % PER_DIRECTORY;
    const piece =
      inside === 0
        ? tarEntry({ name: `${directory}/`, type: '5', mode: 0o755, mtime: 1_700_000_000 })
        : tarEntry({
            name: `${directory}/module-${inside}.js`,
            mtime: 1_700_000_000 + n,
            content: `export default ${n};\n`,
          });
    batch.push(piece);
    bytes += piece.length;
    if (bytes < BATCH) continue;
    yield Buffer.concat(batch);
    batch = [];
    bytes = 0;
  }
  yield Buffer.concat([...batch, tarEnd]);
}
