// SPDX-License-Identifier: GPL-3.0-or-later

/** The blocks of README.md and docs/*.md, and which test tries each as it is written, or why none does. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { top } from './machine.js';

/** The file of the test that tries a block, or the reason why there is none. */
export type Tried = { readonly by: string } | { readonly not: string };

const NO_COMMANDS = 'it is no command: a drawing, a list of files, or what a program prints';
const PODMAN = 'test/mount/podman.test.ts';
const COMMANDS = 'test/pages/commands.test.ts';

/** By the first line of each block, without the comment behind it. */
export const BLOCKS: Readonly<Record<string, Tried>> = {
  'make demo': { not: 'it builds, and makes a Debian: test/scripts/demo.test.ts runs what it runs' },
  'crfs setup podman': { by: 'test/setup/setup.test.ts' },
  'crfs run localhost:5000/img:tag echo hello': { by: PODMAN },
  'mkdir -p merged upper work': { by: PODMAN },
  'mkdir -p merged upper work lower': { by: PODMAN },
  'crfs stargzify docker.io/fedora localhost:5000/myimages/fedora:stargz': { by: COMMANDS },
  'make deb': { by: 'scripts/test-deb' },
  make: { not: 'it builds, and installs into the machine' },
  'crfs mount --persist localhost:5000/img:tag /srv/img': { by: 'test/mount/persist.test.ts' },
  'docker://localhost:5000/img:tag  /mnt  fuse.crfs  upper=/var/up,work=/var/work,_netdev,nofail  0 0': {
    by: 'test/mount/fstab.test.ts',
  },
  '[storage.options]': { by: 'test/tools/podman-store.ts' },
  'crfs index --push localhost:5000/img:tag': { by: COMMANDS },
  'crfs mount --driver fuse-overlayfs localhost:5000/img:tag merged': { by: COMMANDS },
  '[[registry]]': { by: 'test/tools/fleet.ts' },
  'version: 0.1': { by: 'test/tools/fleet.ts' },
  'proxy_cache_path /var/cache/nginx/blobs keys_zone=blobs:64m max_size=100g inactive=30d use_temp_path=off;': {
    by: 'test/tools/nginx.ts',
  },
  'skopeo copy --all --preserve-digests docker://registry.example.com/app:1 docker://cache.example.com:5000/app:1': {
    by: 'test/mount/fleets.test.ts',
  },
  'npm run bench -- --against earlier.json': { not: 'it measures for minutes' },
  'npm run bench -- --only 2,3': { not: 'it measures for minutes' },
  '{"error":{"code":"CRFS_NOT_FOUND","message":"the mountpoint \\"no\\": there is no such directory"}}': {
    not: NO_COMMANDS,
  },
  'programs                                     programs': { not: NO_COMMANDS },
  "DIR/<base64 of the reference>/<digest>/diff    the layer's root directory": { not: NO_COMMANDS },
  '$XDG_CACHE_HOME/crfs-plugin/': { not: NO_COMMANDS },
  '{"version":1,': { not: NO_COMMANDS },
};

/** A block between fences, as they are in recipes.ts. */
const FENCED = /^```\w+\n(.*?)\n```$/gms;

/** The blocks of a page: between fences, or indented by four, with an empty line before and behind; without the indentation. */
export function blocksOf(page: string): string[] {
  const text = readFileSync(join(top, page), 'utf8');
  const fenced = [...text.matchAll(FENCED)].map(([, block = '']) => block);
  const paragraphs = text.replaceAll(FENCED, '').split(/\n\n+/);
  const indented = paragraphs.filter((one) => /^( {4}.*(\n|$))+$/.test(one));
  return [...fenced, ...indented.map((one) => one.replaceAll(/^ {4}/gm, '').trimEnd())];
}

export function pages(): string[] {
  const docs = readdirSync(join(top, 'docs')).filter((name) => name.endsWith('.md'));
  return ['README.md', ...docs.map((name) => `docs/${name}`)];
}

/** The first line of a block, by which it is known. */
export function keyOf(block: string): string {
  return (block.split('\n')[0] ?? '').replace(/\s+#.*$/, '').trim();
}

/** The block that has a line, as a script. Throws where no page has it. */
export function commandsWith(line: string): string {
  const block = pages()
    .flatMap(blocksOf)
    .find((text) => text.split('\n').some((one) => one.replace(/\s+#.*$/, '').trim() === line));
  if (block === undefined) throw new Error(`no page has the line ${line}`);
  return block;
}
