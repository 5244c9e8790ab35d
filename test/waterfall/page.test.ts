// SPDX-License-Identifier: GPL-3.0-or-later

/** The page of a start, as a browser shows it. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { startPageOf } from '../../src/main/commands/start-page.js';
import { CacheLayout } from '../../src/main/disk/cache-layout.js';
import { startPage } from '../../src/main/waterfall/page.js';
import type { StartRecord } from '../../src/main/waterfall/record.js';
import { type BrowserPage, openPage } from '../tools/browser.js';
import { START } from './sample.js';

const SAID = { title: 'How docker://localhost:5000/python:3 started', facts: [['image', START.image]] as const };

async function shown(
  t: ExecutionContext,
  record: StartRecord,
  said = SAID,
): Promise<{ page: BrowserPage; url: string }> {
  const directory = mkdtempSync(join(tmpdir(), 'crfs-page-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'start.html');
  writeFileSync(file, startPage(record, said));
  return { page: await openPage(t, file), url: pathToFileURL(file).href };
}

/** The text of all elements, with what lies between words made one space. */
function texts(selector: string): string {
  return `[...document.querySelectorAll(${JSON.stringify(selector)})].map((one) => one.textContent.trim().replace(/\\s+/g, ' '))`;
}

test('a browser shows each file, what it waited for and how long, its bytes and its layer, and asks for nothing else', async (t) => {
  const { page, url } = await shown(t, START);
  t.deepEqual(await page.value(texts('.file .name')), [
    '/usr/bin/python3.11',
    '/usr/lib/x86_64-linux-gnu/libc.so.6',
    '/usr/lib/python3.11/encodings/utf_8.py',
  ]);
  t.deepEqual(await page.value(texts('.file summary .number:nth-child(2)')), ['2', '1', '2']);
  t.deepEqual(await page.value(texts('.file .why')), ['fetch 70.0 ms', 'fetch 50.0 ms', 'inflate 10.0 ms']);
  const [python] = await page.value<string[]>(texts('.file p'));
  t.is(
    python,
    '/usr/bin/python3.11 of layer 2: asked for at 70.0 ms, 2.3 MiB. On the critical path. Waited from 70.0 ms on for 70.0 ms, ' +
      '60.0 ms of these for the network. A request for a reader who waited was sent at 71.0 ms, had its first byte 20.0 ms later, ' +
      'and brought 2.9 MiB in 60.0 ms.',
  );
  t.deepEqual(await page.value(texts('h2')), [
    'Critical path: 215.0 ms until the last read',
    'Files',
    'Fetched, and never used',
    'Requests',
  ]);
  t.deepEqual(await page.value(texts('.left')), [
    '/usr/share/doc/never-read293.0 KiB, as an earlier start had read it',
  ]);
  t.deepEqual(page.requests, [url]);
});

test('what waits is drawn where it waits, and none but what is chosen is shown', async (t) => {
  const { page } = await shown(t, START);
  await page.look({ width: 1400, height: 900, scheme: 'light' });
  const places = await page.value<number[][]>(`[...document.querySelectorAll('.file .bar')].map((bar) => {
    const all = bar.getBoundingClientRect();
    const [wait] = [...bar.querySelectorAll('.wait')].map((one) => one.getBoundingClientRect());
    return [(wait.left - all.left) / all.width, wait.width / all.width].map((one) => Math.round(one * 215 * 1.02));
  })`);
  t.deepEqual(places, [
    [70, 60],
    [150, 40],
    [160, 10],
  ]);
  const visible = `[...document.querySelectorAll('.file')].filter((one) => one.checkVisibility()).length`;
  t.is(await page.value(visible), 3);
  await page.value(`document.getElementById('path').click()`);
  t.is(await page.value(visible), 2);
});

const HOSTILE = '"><img src=x onerror=alert(1)></style><script>document.title="owned"</script>';

test('names of strangers are text, whatever they would be to a browser', async (t) => {
  const files = START.files.map((file, n) =>
    n === 0 ? { ...file, path: `a/${HOSTILE}\u202e\n` } : { ...file, path: HOSTILE },
  );
  const { page, url } = await shown(
    t,
    { ...START, files },
    { title: HOSTILE, facts: [['image', HOSTILE] as never] as const },
  );
  t.is(await page.value('document.title'), HOSTILE);
  t.deepEqual(await page.value(texts('script, img')), []);
  t.deepEqual(await page.value(texts('.file:first-of-type .name')), [`/a/${HOSTILE}\\u202e\\n`]);
  t.is(await page.value(`document.querySelectorAll('style').length`), 1);
  t.deepEqual(page.requests, [url]);
});

const LONG = {
  ...START,
  files: START.files.map((file, n) => ({
    ...file,
    path: `${'a-long-directory/'.repeat(9)}${n}${'-long-name'.repeat(20)}`,
  })),
};

for (const [what, record] of [
  ['as it is', START],
  ['with long names', LONG],
] as const) {
  test(`the page fits phones and desktops, by day and by night, ${what}`, async (t) => {
    const { page } = await shown(t, record);
    for (const [width, scheme] of [360, 800, 1400].flatMap((one) => [
      [one, 'light'] as const,
      [one, 'dark'] as const,
    ])) {
      await page.look({ width, height: 900, scheme });
      t.true((await page.value<number>('document.documentElement.scrollWidth')) <= width, `${width}`);
      t.true((await page.value<number>(`document.querySelector('.file .bar').getBoundingClientRect().width`)) >= 220);
      const colours = await page.value<string[]>(
        `['backgroundColor', 'color'].map((of) => getComputedStyle(document.body)[of])`,
      );
      t.deepEqual(colours.map(isDark), scheme === 'dark' ? [true, false] : [false, true]);
      const directory = process.env['CRFS_TEST_PICTURES']; // for somebody who wants to look at them
      const name = `${width}-${scheme}-${what.replaceAll(' ', '-')}.png`;
      if (directory) writeFileSync(join(directory, name), await page.picture());
    }
  });
}

function isDark(colour: string): boolean {
  const [red = 0, green = 0, blue = 0] = colour.match(/\d+/g)?.map(Number) ?? [];
  return red + green + blue < 384;
}

test('a start of nothing but reads of what was here is shown, and one of which nothing is known but that it was', async (t) => {
  const nothing = { waits: [], requests: [], unread: [], unreadFiles: 0, unreadBytes: 0 };
  const reads = START.reads.map((read) => ({ ...read, request: null }));
  const { page } = await shown(t, { ...START, ...nothing, reads, missed: 3 });
  t.deepEqual(await page.value(texts('.file .why')), ['-', '-', '-']);
  t.deepEqual(await page.value(texts('.note')), [
    '3 opens came faster than they could be followed, and are missing here.',
  ]);
  t.deepEqual(await page.value(texts('h2')), ['Critical path: 215.0 ms until the last read', 'Files']);
  const empty = await shown(t, { ...START, ...nothing, files: [], reads: [], resolved: 0, ready: 0 });
  t.deepEqual(await empty.page.value(texts('.file')), []);
});

test('of a profile alone, what was read is shown, and nothing that says what was waited for', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'crfs-page-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const order = [{ layer: 0, path: 'bin/sh', first: 0, count: 1, bytes: 1000, at: 7 }];
  const profile = { image: START.image, recorded: START.began, program: '/bin/sh', layers: [START.image], order };
  const file = join(directory, 'start.html');
  writeFileSync(file, startPageOf(new CacheLayout(directory), 'localhost:5000/img', START.image, profile) ?? '');
  const page = await openPage(t, file);
  t.deepEqual(await page.value(texts('h2')), ['Files']);
  t.deepEqual(await page.value(texts('.file .name, .file .why, .key li, fieldset')), ['asked for', '/bin/sh', '']);
  t.deepEqual(await page.value(texts('.head > span')).then((all) => (all as string[]).slice(0, 4)), [
    'file',
    'layer',
    'bytes',
    '',
  ]);
  const [note] = await page.value<string[]>(texts('.note'));
  t.regex(note ?? '', /does not say what was waited for/);
  await page.look({ width: 360, height: 900, scheme: 'light' });
  t.true((await page.value<number>('document.documentElement.scrollWidth')) <= 360);
});
