// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { parse } from 'smol-toml';
import { addStore, removeStore, storesIn } from '../../src/main/setup/storage-conf.js';

const STORE = '/home/a "b"/.local/share/crfs-plugin/store:ref';
const DEBIAN = `# This file is the configuration file for all tools
[storage]

# Default Storage Driver
driver = "overlay"
runroot = "/run/containers/storage"   # of this boot

[storage.options]
# additionallayerstores = ["/commented:ref"]
additionalimagestores = [
]

[storage.options.overlay]
mountopt = "nodev" # kept
`;

/** Files, each with how the line that has the store is to look; undefined: whatever, as long as it says the right thing. */
const FILES: readonly (readonly [title: string, text: string, line: RegExp])[] = [
  ['an empty file', '', /^additionallayerstores = \["/m],
  ['a file without the table', '[storage]\ndriver = "overlay"\n', /^additionallayerstores = \["/m],
  ['a file whose last line has no end', '[storage]\ndriver = "overlay"', /^additionallayerstores = \["/m],
  ['a file with comments', DEBIAN, /^\[storage\.options\]\nadditionallayerstores = \["/m],
  ['a table below it alone', '[storage.options.overlay]\nmountopt = "nodev"\n', /^additionallayerstores = \["/m],
  ['spaces in the header', '[ storage . options ] # x\npull_options = {a = "b"}\n', /^\[ storage.*\nadditional/m],
  ['an empty list', '[storage.options]\nadditionallayerstores = [] # none\n', /= \["[^,]*"\] # none/],
  ['a list of one', '[storage.options]\nadditionallayerstores = ["/other:ref"]\n', /, "\/other:ref"\]/],
  [
    'a list over lines',
    '[storage.options]\nadditionallayerstores = [\n  # why\n  "/other:ref",\n]\n',
    /# why\n {2}"\/other:ref",\n\]/,
  ],
];

for (const [title, text, line] of FILES) {
  test(`a store is named and forgotten: ${title}`, (t) => {
    const named = addStore(text, STORE, 'storage.conf');
    t.deepEqual(storesIn(named, 'storage.conf'), [STORE, ...storesIn(text, 'storage.conf')]);
    t.regex(named, line);
    for (const kept of text.split('\n').filter((one) => !one.includes('additionallayerstores = ')))
      t.true(named.includes(kept), kept);
    t.is(addStore(named, STORE, 'storage.conf'), named, 'once is enough');
    const forgotten = removeStore(named, STORE, 'storage.conf');
    t.is(forgotten, text === '' || text.endsWith('\n') ? text : `${text}\n`);
    t.is(removeStore(forgotten, STORE, 'storage.conf'), forgotten);
  });
}

test('what a person has added since stays when the store is forgotten', (t) => {
  const named = addStore('[storage]\ndriver = "overlay"\n', STORE, 'storage.conf');
  const forgotten = removeStore(`${named}pull_options = {enable_partial_images = "true"}\n`, STORE, 'storage.conf');
  t.deepEqual(parse(forgotten), {
    storage: { driver: 'overlay', options: { pull_options: { enable_partial_images: 'true' } } },
  });
  const written = '[storage.options]\nadditionallayerstores = ["/a:ref",  "/our:ref" , "/b:ref"]\n';
  t.deepEqual(storesIn(removeStore(written, '/our:ref', 'storage.conf'), 'storage.conf'), ['/a:ref', '/b:ref']);
  const last = '[storage.options]\nadditionallayerstores = ["/a:ref", "/our:ref"]\n';
  t.deepEqual(storesIn(removeStore(last, '/our:ref', 'storage.conf'), 'storage.conf'), ['/a:ref']);
});

test('a file that cannot be edited by lines is left to the person, with what it is to have', (t) => {
  const refused = (text: string, message: RegExp): void => {
    t.throws(() => addStore(text, '/store:ref', '/etc/x.conf'), { code: 'CRFS_USAGE', message });
  };
  refused(
    'storage = {options = {size = "1"}}\n',
    /^\/etc\/x\.conf must be edited by hand: it is to have \[storage\.options\] additionallayerstores = \["\/store:ref"\]$/,
  );
  refused('[storage\n', /^\/etc\/x\.conf is not TOML: /);
  refused(
    '[storage.options]\nadditionallayerstores = "/one:ref"\n',
    /^\/etc\/x\.conf: additionallayerstores is not a list$/,
  );
  refused('storage = 1\n', /by hand|not a table/);
});

test('what only looks like the place for the line is not taken for it', (t) => {
  const text = '[storage]\ncomment = """\n[storage.options]\nadditionallayerstores = [\n"""\n';
  const named = addStore(text, '/store:ref', 'storage.conf');
  t.deepEqual(parse(named), {
    storage: {
      comment: '[storage.options]\nadditionallayerstores = [\n',
      options: { additionallayerstores: ['/store:ref'] },
    },
  });
  t.is(removeStore(named, '/store:ref', 'storage.conf'), text);
});
