// SPDX-License-Identifier: GPL-3.0-or-later

/** What is attached to an image, for who has no time: by a registry that answers in the order that each test wants. */

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Attached, type OwnKind } from '../../src/main/attached/attached.js';
import { RegistryClient } from '../../src/main/registry/client.js';
import { Gate } from '../tools/gate.js';
import { endServer, listen } from '../tools/local-server.js';
import { sha256 } from '../tools/read-layer.js';

const IMAGE = sha256(Buffer.from('image'));
const KIND: OwnKind = { what: 'note', type: 'application/x-note', made: 'made' };
const OTHER: OwnKind = { what: 'list', type: 'application/x-list', made: 'listed' };
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';

const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: sha256(Buffer.from('{}')), size: 2 };
const artifact = JSON.stringify({
  schemaVersion: 2,
  mediaType: MANIFEST,
  config,
  layers: [],
  subject: { digest: IMAGE },
});
const digest = sha256(Buffer.from(artifact));
const named = { mediaType: MANIFEST, digest, size: artifact.length, annotations: { [KIND.made]: '2026-01-02' } };

const PLACES = ['referrers', 'tag'] as const;
type Place = (typeof PLACES)[number];

/** By a clock that was a hundred years ahead. */
const ofTheFuture = {
  ...named,
  digest: sha256(Buffer.from('another')),
  annotations: { [KIND.made]: new Date(Date.now() + 36_525 * 86_400_000).toISOString() },
};

/** What a place answers: that it names the artifact, also behind one of the future, or nothing, or a status. */
type Answer = 'named' | 'behind' | 'nothing' | 404 | 500;
const LISTS = { named: [named], behind: [ofTheFuture, named], nothing: [] };

interface World {
  readonly attached: Attached;
  readonly asked: Place[];
  /** Resolves when a place has answered, and whoever asked has heard that. */
  readonly heard: (place: Place) => Promise<unknown>;
}

/** A registry whose places answer so; one of them waits for the gate. */
async function world(t: ExecutionContext, answers: Record<Place, Answer>, held?: Place, gate?: Gate): Promise<World> {
  const asked: Place[] = [];
  const server = createServer(async (from, to) => {
    const place = from.url?.includes('/referrers/') ? 'referrers' : from.url?.includes('sha256-') ? 'tag' : undefined;
    if (place === undefined) {
      to.setHeader('content-type', MANIFEST);
      to.end(artifact);
      return;
    }
    asked.push(place);
    if (place === held) await gate?.pass();
    const answer = answers[place];
    to.statusCode = typeof answer === 'number' ? answer : 200;
    to.setHeader('content-type', INDEX);
    const manifests = typeof answer === 'number' ? [] : LISTS[answer];
    to.end(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests }));
    to.once('finish', () => server.emit(place));
  });
  const registry = await listen(server);
  t.teardown(() => endServer(server));
  const spool = mkdtempSync(join(tmpdir(), 'crfs-attached-'));
  t.teardown(() => rmSync(spool, { recursive: true }));
  const client = new RegistryClient({ spool });
  t.teardown(() => client.close());
  const reference = { registry, repository: 'img', tag: '1' };
  const heard = async (place: Place): Promise<unknown> => {
    await once(server, place);
    return await client.getManifest({ registry, repository: 'img', digest }, { hurried: true }); // an answer behind that
  };
  return { attached: new Attached(client, reference, IMAGE), asked, heard };
}

const signal = new AbortController().signal;

for (const first of PLACES) {
  for (const said of ['nothing', 404, 500] as const) {
    test(`what is named in one place alone is found, when ${first} says ${said} before`, async (t) => {
      const second = first === 'tag' ? 'referrers' : 'tag';
      const gate = new Gate();
      const answers = { [first]: said, [second]: 'named' } as Record<Place, Answer>;
      const { attached, heard } = await world(t, answers, second, gate);
      const [finding] = [attached.newest(KIND, signal), await heard(first)];
      gate.open();
      t.is((await finding)?.digest, digest);
    });
  }
}

test('both places are asked once, whatever is looked for, and there is nothing where neither names it', async (t) => {
  const { attached, asked } = await world(t, { referrers: 404, tag: 'named' });
  attached.begin();
  t.is(await attached.newest(OTHER, signal), undefined);
  t.is((await attached.newest(KIND, signal))?.digest, digest);
  t.deepEqual(asked.sort(), [...PLACES]);
});

test("what a clock of the future has attached is in nobody else's way", async (t) => {
  const { attached } = await world(t, { referrers: 'behind', tag: 404 });
  t.is((await attached.newest(KIND, signal))?.digest, digest);
});

test('where one place fails and the other one names nothing, it is not known', async (t) => {
  for (const failing of PLACES) {
    const answers = { referrers: 404, tag: 404, [failing]: 500 } as const;
    const { attached } = await world(t, answers);
    await t.throwsAsync(attached.newest(KIND, signal), { message: /500/ });
  }
});
