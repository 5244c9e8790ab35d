// SPDX-License-Identifier: GPL-3.0-or-later

/** scripts/demo, on machines that lack what it can do without. */

import { existsSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { mountsOf } from '../../src/main/daemon/mountinfo.js';
import { debian } from '../tools/layers.js';
import { Machine, mountingTest, top } from '../tools/machine.js';
import { run } from '../tools/run.js';

const mounting = mountingTest();
const MISSING = 'fuse-overlayfs';

/** A directory with links to all programs of this machine but one. */
function programsWithout(missing: string, directory: string): string {
  const seen = new Set([missing]);
  for (const from of (process.env['PATH'] ?? '').split(':').filter((path) => existsSync(path))) {
    for (const name of readdirSync(from).filter((one) => !seen.has(one))) {
      symlinkSync(join(from, name), join(directory, name));
      seen.add(name);
    }
  }
  return directory;
}

mounting('the demo runs on a machine without fuse-overlayfs', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  await debian();
  const work = machine.directory('demo');
  for (const made of ['debian.tar', 'debian.esgz', 'root']) symlinkSync(join(top, 'demo', made), join(work, made));
  const PATH = programsWithout(MISSING, machine.directory('bin'));
  const said = String(await run(join(top, 'scripts/demo'), [], { env: { ...machine.env, PATH, CRFS_DEMO_DIR: work } }));
  t.regex(said, /read-write, by overlay\n/);
  t.is(said.match(/hello from Python/g)?.length, 2); // by the overlay, and on the extracted tree
  t.false(said.includes(MISSING));
  t.is(
    mountsOf().find(({ path }) => path.startsWith(work)),
    undefined,
  );
});
