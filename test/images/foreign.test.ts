// SPDX-License-Identifier: GPL-3.0-or-later

/** Layers that an OCI layout lacks, and whose descriptors say where else they are. */

import { readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { CrfsError } from '../../src/main/errors/error.js';
import { RegistryClient } from '../../src/main/registry/client.js';
import { convertImageBetween as convert } from '../convert/image-setting.js';
import { Layout, type Manifest, types } from '../convert/layout.js';
import { scratch } from '../convert/setting.js';
import { endServer, listen } from '../tools/local-server.js';
import { run } from '../tools/run.js';

const FOREIGN = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';

interface Setting {
  readonly from: string;
  readonly to: Layout;
  /** The layer that is missing. */
  readonly digest: string;
  /** The paths that were asked for. */
  readonly asked: readonly string[];
  readonly convert: (from?: string) => Promise<unknown>;
}

/** A layout that lacks its only layer, which a server has at /layer, and one of other content at /other. */
async function setting(t: ExecutionContext, mediaType: string, ...paths: string[]): Promise<Setting> {
  const directory = scratch(t);
  const layout = new Layout(join(directory, 'from'));
  const image = layout.image([[{ name: 'f', content: 'hello' }]]);
  const manifest = layout.read(image.digest) as Manifest;
  const digest = manifest.layers[0]?.digest ?? '';
  const blob = readFileSync(layout.path(digest));
  rmSync(layout.path(digest));

  const asked: string[] = [];
  const served = new Map([
    ['/layer', blob],
    ['/other', Buffer.alloc(blob.length)],
  ]);
  const server = createServer(({ url = '' }, response) => {
    asked.push(url);
    const content = served.get(url);
    response.writeHead(content ? 200 : 404, { 'content-length': content?.length ?? 0 }).end(content);
  });
  const host = await listen(server);
  t.teardown(() => endServer(server));

  const urls = paths.map((path) => (path.startsWith('/') ? `http://${host}${path}` : path));
  const layers = manifest.layers.map((layer) => ({ ...layer, mediaType, urls }));
  layout.index({ t: layout.putJson(types.manifest, { ...manifest, layers }) });
  const client = new RegistryClient({ spool: directory });
  t.teardown(() => client.close());
  return {
    from: layout.directory,
    to: new Layout(join(directory, 'to')),
    digest,
    asked,
    convert: (from = `oci:${layout.directory}:t`) => convert(from, `oci:${directory}/to:t`, {}, client),
  };
}

for (const form of ['a layout', 'an archive of one']) {
  test(`a layer that may not be handed on, and ${form} lacks, is had from where its descriptor says`, async (t) => {
    const { from, to, asked, convert: work } = await setting(t, FOREIGN, 'file:///etc/passwd', '/none', '/layer');
    const archive = `${from}.tar`;
    await run('tar', ['-C', from, '-cf', archive, '.']);
    await work(form === 'a layout' ? undefined : `oci-archive:${archive}:t`);
    const [layer] = to.manifest('t').layers;
    t.deepEqual(new Set(asked), new Set(['/none', '/layer']));
    t.false(JSON.stringify(layer).includes('urls'), 'of what is another blob now');
    t.true(gunzipSync(readFileSync(to.path(layer?.digest ?? ''))).includes('hello'));
  });
}

for (const [what, type, path, why] of [
  ['other content', FOREIGN, '/other', /^.*from: sha256:\w{64} has other content: sha256:\w{64}$/],
  ['nothing', FOREIGN, '/none', /^.*from: sha256:\w{64}: .*127\.0\.0\.1:\d+\/none.*404/],
  [
    'what comes without TLS',
    FOREIGN,
    'http://example.com/layer',
    /blobs\/sha256\/\w{64}: cannot be opened: no such file/,
  ],
  ['what its type does not ask for', types.layer, '/layer', /blobs\/sha256\/\w{64}: cannot be opened: no such file/],
] as const) {
  test(`a layer that a layout lacks is not taken from a URL that has ${what}`, async (t) => {
    const { convert: work } = await setting(t, type, path);
    const error = await t.throwsAsync(work, { instanceOf: CrfsError });
    t.regex(error?.message ?? '', why);
  });
}
