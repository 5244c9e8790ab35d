// SPDX-License-Identifier: GPL-3.0-or-later

/** What is fetched by a profile, which anybody may have written. */

import test from 'ava';
import { type BlobRange, StartOrder } from '../../src/main/profile/order.js';
import type { Profile, ProfiledRun } from '../../src/main/profile/profile.js';
import { Recording, type StartedLayer } from '../../src/main/profile/recording.js';
import { indexOf, sha256 } from '../tools/toc.js';

const KIB = 1 << 10;
/** Bytes between files that are far apart. */
const STEP = 100 * KIB;
/** Where the first file lies. */
const BEGIN = 10;
const IMAGE = sha256('image');

type Indexed = Parameters<typeof indexOf>[0];

/** A layer with the programs `0`, `1` …, at these places of its blob from BEGIN on, and `large` of three chunks and `whole` of two behind them. */
async function layer(t: Indexed, number: number, offsets: readonly number[]): Promise<StartedLayer> {
  const at = (offsets.at(-1) ?? 0) + STEP + BEGIN;
  const whole = { type: 'reg', name: 'whole', size: 20, chunkSize: 10, digest: sha256('whole') };
  const chunked = { type: 'reg', name: 'large', size: 30, chunkSize: 10, digest: sha256('large') };
  const tocOffset = at + 5 * STEP;
  const entries = [
    ...offsets.map((offset, n) => ({
      name: `${n}`,
      type: 'reg',
      mode: 0o755,
      size: 9,
      offset: offset + BEGIN,
      digest: sha256(`${n}`),
    })),
    { ...chunked, offset: at, chunkDigest: sha256('1') },
    { name: 'large', type: 'chunk', offset: at + STEP, chunkOffset: 10, chunkSize: 10, chunkDigest: sha256('2') },
    { name: 'large', type: 'chunk', offset: at + 2 * STEP, chunkOffset: 20, chunkSize: 10, chunkDigest: sha256('3') },
    { ...whole, offset: at + 3 * STEP },
    { name: 'whole', type: 'chunk', offset: at + 4 * STEP, chunkOffset: 10, chunkSize: 10 },
    { name: 'link', type: 'symlink', linkName: 'large' },
  ];
  const { index } = await indexOf(t, entries, tocOffset);
  return { number, digest: sha256(`layer ${number}`), index, tocOffset };
}

function profile(
  layers: readonly StartedLayer[],
  order: readonly (readonly [number, string, number?, number?])[],
): Profile {
  const runs = order.map(([of, path, first = 0, count = 1]): ProfiledRun => {
    return { layer: of, path, first, count, bytes: 1, at: 0 };
  });
  const digests = layers.map(({ digest }) => digest);
  return { image: IMAGE, recorded: '2026-01-02T03:04:05.678Z', program: null, layers: digests, order: runs };
}

function shown(ranges: readonly BlobRange[]): number[][] {
  return ranges.map(({ layer: number, offset, end }) => [number, (offset - BEGIN) / KIB, (end - BEGIN) / KIB]);
}

test('what a profile lists is fetched in its order, but for what is wanted at about the same time', async (t) => {
  const [one, other] = [await layer(t, 7, [0, 3 * STEP]), await layer(t, 8, [0, STEP])];
  const order = profile(
    [one, other],
    [
      [0, 'large', 0, 3],
      [0, '0'], // with this, there is enough to go on
      [1, '0'],
      [0, '1'],
    ],
  );
  const { ranges, files, bytes } = new StartOrder(order, [one, other]);
  t.deepEqual(shown(ranges), [
    [7, 0, 300],
    [7, 400, 700],
    [7, 300, 400],
    [8, 0, 100],
  ]);
  t.is(files, 4);
  t.is(bytes, 8 * STEP);
});

test('what lies near each other is fetched together, in the order of the blob', async (t) => {
  const places = [0, 10, 20, 30, 200, 210].map((at) => at * KIB);
  const one = await layer(t, 7, places);
  const { ranges } = new StartOrder(
    profile(
      [one],
      [
        [0, '4'],
        [0, '2'],
        [0, '0'],
      ],
    ),
    [one],
  );
  t.deepEqual(shown(ranges), [
    [7, 0, 30],
    [7, 200, 210],
  ]);
});

test('what the layers do not have is left out, whatever it is', async (t) => {
  const one = await layer(t, 7, [0, 2 * STEP]);
  const [file0] = [[7, 0, 200]];
  const strange: [number, string, number?, number?][] = [
    [1, '0'], // of a layer that is none of the image
    [9, '0'], // of no layer at all
    [0, 'absent'],
    [0, ''],
    [0, '/0'],
    [0, '../0'],
    [0, 'link'],
    [0, 'large', 3],
    [0, 'large', 2, 2],
    [0, 'large', 0, 0],
    [0, 'large', Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    [0, '0'],
    [0, '0'], // once more
  ];
  const { digest } = await layer(t, 8, [0]);
  const written = profile([one], strange);
  const order = new StartOrder({ ...written, layers: [...written.layers, digest] }, [one]);
  t.deepEqual(shown(order.ranges), [file0]);
  t.is(order.files, 1);
});

test('of a profile that wants more than half a GiB, the beginning counts', async (t) => {
  const one = await layer(
    t,
    7,
    [0, 300, 600].map((at) => at * KIB * KIB),
  );
  const wanted = [0, 1, 2].map((n): [number, string] => [0, `${n}`]);
  const { ranges, files } = new StartOrder(profile([one], wanted), [one]);
  t.deepEqual(shown(ranges), [[7, 0, 300 * KIB]]);
  t.is(files, 1);
});

test('an order is wrong once more was read that is not in it than is, and not before some was', async (t) => {
  const one = await layer(
    t,
    7,
    Array.from({ length: 40 }, (_, n) => n * KIB),
  );
  const order = new StartOrder(
    profile(
      [one],
      [
        [0, '0'],
        [0, '1'],
        [0, '2'],
        [0, 'large', 1],
      ],
    ),
    [one],
  );
  const read = (path: string, first = 0): void => {
    order.note({ layer: 7, inode: one.index.find(path), first, count: 1 });
  };
  for (let n = 3; n < 10; n++) read(`${n}`);
  t.false(order.isWrong);
  for (const n of [0, 1, 2]) read(`${n}`);
  read('large', 1);
  read('large', 2);
  t.deepEqual([order.foreseen, order.unforeseen], [4, 8]);
  t.true(order.isWrong);
});

test('each chunk is recorded once, by when it was asked for, whatever numbers a mount tells', async (t) => {
  const one = await layer(t, 7, [0, 2 * STEP]);
  const recording = new Recording(IMAGE, [one]);
  const [first, large] = [one.index.find('0'), one.index.find('large')];
  t.is(recording.profile(), undefined);
  for (const [layerNumber, inode] of [
    [6, first],
    [7, 0],
    [7, 1e9],
    [7, 2 ** 32],
  ] as const) {
    t.is(recording.opened(layerNumber, inode, 5), undefined);
  }
  recording.opened(7, first, 150);
  t.is(recording.opened(7, first, 160), undefined);
  recording.asked({ layer: 7, inode: large, first: 1, count: 1 }, 120);
  t.is(recording.opened(7, large, 170), undefined);
  t.like(recording.asked({ layer: 7, inode: large, first: 1, count: 2 }, 180), { first: 2, count: 1 });
  t.deepEqual(
    recording.profile()?.order.map(({ path, first: from, count, bytes, at }) => [path, from, count, bytes, at]),
    [
      ['large', 1, 1, STEP, 0],
      ['0', 0, 1, 2 * STEP, 30],
      ['large', 2, 1, STEP, 60],
    ],
  );
  t.is(recording.files, 2);
  t.is(recording.profile()?.program, '/0', 'the first that can be executed');
});

test('a file without digests of its chunks is read as a whole, and fetched so, whatever a profile says', async (t) => {
  const one = await layer(t, 7, [0]);
  const recording = new Recording(IMAGE, [one]);
  recording.opened(7, one.index.find('whole'), 1);
  t.like(recording.profile()?.order[0], { path: 'whole', first: 0, count: 2, bytes: 2 * STEP });
  t.deepEqual(shown(new StartOrder(profile([one], [[0, 'whole', 1]]), [one]).ranges), [[7, 400, 600]]);
});

test('of a large file of which nothing was asked for, the beginning is taken to be read', async (t) => {
  const one = await layer(t, 7, [0]);
  const recording = new Recording(IMAGE, [one]);
  recording.opened(7, one.index.find('large'), 1);
  t.like(recording.profile()?.order[0], { path: 'large', first: 0, count: 1 });
});
