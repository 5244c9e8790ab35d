// SPDX-License-Identifier: GPL-3.0-or-later

/** What a mount refuses, and what it says then: one line of ours. What it takes, in all spellings. */

import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { ExecutionContext } from 'ava';
import { footerOf } from '../../src/main/formats/estargz/footer.js';
import { descriptors } from '../faults/world.js';
import { startFaultProxy } from '../tools/fault-proxy.js';
import { makeLayer } from '../tools/layers.js';
import { listen } from '../tools/local-server.js';
import { lowerdir, Machine, mountingTest, until } from '../tools/machine.js';
import { writeTar } from '../tools/tar-writer.js';

const mounting = mountingTest();

/** A machine with a layer and files that are none, in the directory FILES. */
async function prepare(t: ExecutionContext, settings: Record<string, string> = {}) {
  const machine = new Machine(settings);
  t.teardown(() => machine.dispose());
  const files = machine.directory('files');
  const at = (name: string): string => join(files, name);
  writeTar(at('layer.tar'), [{ name: 'file', content: 'content\n' }]);
  const layer = await makeLayer(at('layer.tar'));
  mkdirSync(at('directory'));
  execFileSync('mkfifo', [at('fifo')]);
  writeFileSync(at('empty'), '');
  writeFileSync(at('text.gz'), gzipSync('text\n'));
  copyFileSync(layer, at('truncated'));
  truncateSync(at('truncated'), readFileSync(layer).length - 10);
  writeFileSync(at('broken'), Buffer.concat([Buffer.alloc(100), footerOf('estargz', 10)]));
  return { machine, layer, files, lower: machine.directory('lower') };
}

const notStargz =
  'is no layer that can be mounted, or was cut short: no footer at its end, no tar at its beginning; `crfs stargzify` converts layers and images';
const notTar = 'not a tar: it is only 5 bytes long';
const notRegular = 'not a regular file; give the path of a layer, or oci:DIR or dir:DIR for an image in a directory';
const notOpen = (why: string): string => `cannot open it: ${why}; give the path of a layer file that you may read`;
const notBase64 = "no base64 of a text; use base64url, which holds no '/' that would end it early";
const notKnown =
  'names no layer; known are /path, file:///path, https://host/path, http://host/path, docker://image, oci:/path and dir:/path';

/** Configurations, and the line that each gets: FILES stands for the directory of the files. */
const refusals: Readonly<Record<string, string>> = {
  'FILES/missing': `FILES/missing: ${notOpen('No such file or directory')}`,
  'FILES/empty/below': `FILES/empty/below: ${notOpen('Not a directory')}`,
  'FILES/directory': `FILES/directory: ${notRegular}`,
  'FILES/fifo': `FILES/fifo: ${notRegular}`,
  '/dev/null': `/dev/null: ${notRegular}`,
  'FILES/empty': `FILES/empty: ${notStargz}`,
  'FILES/text.gz': `FILES/text.gz: ${notTar}`,
  'FILES/truncated': 'FILES/truncated: its gzip stream ends too early',
  'file://FILES/missing': `FILES/missing: ${notOpen('No such file or directory')}`,
  'ftp://host/layer': `ftp://host/layer: ${notKnown}`,
  'relative/path': `relative/path: ${notKnown}`,
  'new\nline': `new?line: ${notKnown}`,
};

/** What is no base64 of a configuration, as it stands in lowerdir. */
const malformed: Readonly<Record<string, string>> = {
  '': 'no layer is named; give its path in base64url between //crfs/ and the directory',
  '***': notBase64,
  A: notBase64,
  'YQ===': notBase64,
  AAAA: notBase64,
  [`${'secret'.repeat(2000)}!`]: notBase64,
  [base64('file://host/layer')]: `file://host/layer names no local file; write file:///PATH`,
  [base64('file:///a%zz')]: `/a%zz holds a '%' without two hexadecimal digits of a byte; write %25 for '%'`,
};

function base64(text: string): string {
  return Buffer.from(text).toString('base64url');
}

/** Our lines on stderr of a mount that fails. */
async function linesOf(t: ExecutionContext, machine: Machine, lower: string): Promise<string[]> {
  const error = await t.throwsAsync(machine.mount([lower]));
  return error?.message.match(/\bcrfs: .*$/gm) ?? [];
}

mounting('what is no layer is refused at mount, in one line that says why', async (t) => {
  const { machine, files, lower } = await prepare(t);
  for (const [configuration, line] of Object.entries(refusals)) {
    const named = configuration.replace('FILES', files);
    const lines = await linesOf(t, machine, lowerdir(named, lower));
    t.deepEqual(lines, [`crfs: ${line.replace('FILES', files)}`], configuration);
  }
  const status = await machine.status();
  t.deepEqual(status?.layers, []);
  await until('the daemon has seen all of them go', async () => (await machine.status())?.mounts.length === 0);
  t.deepEqual(
    descriptors(status?.pid ?? 0).filter((path) => path.startsWith(`${files}/`) || path.includes('memfd:crfs-ring')),
    [],
  );
  t.deepEqual(
    readdirSync(join(machine.objects, '../tmp')).filter((name) => name.startsWith('mount-')),
    [],
  );
});

mounting('the errno of a refused mount says of which kind the fault is', async (t) => {
  const { machine, files, lower } = await prepare(t);
  const server = await startFaultProxy({ upstream: 'http://127.0.0.1:1' });
  t.teardown(() => server.close());
  server.fault = ({ path }) => ({ kind: 'status', status: Number(path.slice(1)) });
  for (const [configuration, said] of [
    ['http://127.0.0.1:1/layer', 'No route to host'],
    [`${server.url}/404`, 'No such file or directory'],
    [`${server.url}/403`, 'Permission denied'],
    [`${files}/empty`, 'Invalid argument'],
    ['ftp://host/layer', 'Invalid argument'],
    [`${files}/broken`, 'Input/output error'],
  ] as const) {
    const error = await t.throwsAsync(machine.mount([lowerdir(configuration, lower)]));
    t.regex(error?.message ?? '', new RegExp(`^fuse-overlayfs: .*: ${said}$`, 'm'), configuration);
  }
});

mounting('what names no configuration is refused at mount, and starts no daemon', async (t) => {
  const { machine, lower } = await prepare(t);
  for (const [opaque, line] of Object.entries(malformed)) {
    t.deepEqual(await linesOf(t, machine, `//crfs/${opaque}/${lower}`), [`crfs: lowerdir: ${line}`], opaque);
  }
  t.is(await machine.status(), null);
});

mounting('what a server does not have is refused in one line that names it once', async (t) => {
  const { machine, lower } = await prepare(t);
  const server = createServer((_, response) => response.writeHead(404).end());
  const host = await listen(server);
  t.teardown(() => server.close());
  for (const [configuration, line] of [
    [`http://${host}/layer?signature=1`, 'the server answered 404'],
    [`docker://${host}/image:tag`, `no manifest: http://${host}/v2/image/manifests/tag answered 404`],
  ] as const) {
    t.deepEqual(await linesOf(t, machine, lowerdir(configuration, lower)), [`crfs: ${configuration}: ${line}`]);
  }
});

mounting('a lower directory that is not there is refused', async (t) => {
  const { machine, layer } = await prepare(t);
  t.deepEqual(await linesOf(t, machine, lowerdir(layer, '/nowhere')), [
    `crfs: ${layer}: the directory /nowhere behind it: No such file or directory; name one that exists, by its absolute path`,
  ]);
});

mounting('a daemon that cannot start says why in the line of the mount', async (t) => {
  const { machine, layer, lower } = await prepare(t, { CRFS_WORKERS: 'many' });
  t.deepEqual(await linesOf(t, machine, lowerdir(layer, lower)), [
    `crfs: ${layer}: the daemon did not start: CRFS_WORKERS: workers is "many"; it must be a whole number from 1 to 256`,
  ]);
});

mounting('base64 and base64url, padded or not, and file URLs name layers', async (t) => {
  const { machine, layer, files, lower } = await prepare(t);
  const odd = join(files, 'ü~? >'); // needs all that the two alphabets differ in
  mkdirSync(odd);
  const path = join(odd, 'layer %.esgz');
  copyFileSync(layer, path);
  const url = `file://${encodeURI(files)}/${encodeURIComponent('ü~? >')}/layer%20%25.esgz`;
  const standard = [0, 1, 2].map((more) => Buffer.from('/'.repeat(more) + path).toString('base64'));
  const spellings = [
    ...standard.flatMap((spelled) => [spelled, spelled.replaceAll('=', '')]),
    ...standard.map((spelled) => spelled.replaceAll('+', '-').replaceAll('/', '_')),
    base64(path),
    base64(url),
  ].filter((spelled) => !spelled.includes('/'));
  t.true(spellings.some((spelled) => spelled.endsWith('=')));
  t.true(spellings.some((spelled) => /[-_]/.test(spelled)));
  for (const spelled of new Set(spellings)) {
    const mount = await machine.mount([`//crfs/${spelled}/${lower}`]);
    t.is(readFileSync(join(mount.merged, 'file'), 'utf8'), 'content\n', spelled);
    await mount.unmount();
  }
});
