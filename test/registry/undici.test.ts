// SPDX-License-Identifier: GPL-3.0-or-later

/** undici is loaded by private paths: an update may move what is there. */

import test from 'ava';
import undici from 'undici';
import { run } from '../tools/run.js';

const part = new URL('../../src/main/http/undici.js', import.meta.url).href;
const moved = 'undici has moved what src/main/http/undici.ts loads by private paths: compare those with its index.js';

function methodsOf(prototype: object): string[] {
  const names = new Set<string>();
  for (let at = prototype; at !== Object.prototype; at = Object.getPrototypeOf(at) as object) {
    for (const name of Object.getOwnPropertyNames(at)) names.add(name);
  }
  return [...names].sort();
}

test('the part of undici that is loaded is what the whole has', async (t) => {
  const loaded = (await import(part).catch((error: Error) => {
    throw new Error(moved, { cause: error });
  })) as Record<string, unknown>;
  for (const name of ['Client', 'Agent', 'ProxyAgent'] as const) t.is(loaded[name], undici[name], `${moved} (${name})`);
});

test('the part of undici has the methods of the whole, also where the whole is not loaded', async (t) => {
  const program = `
    ${methodsOf.toString()}
    const loaded = await import(${JSON.stringify(part)});
    const names = ['Client', 'Agent', 'ProxyAgent'];
    console.log(JSON.stringify(names.map((name) => methodsOf(loaded[name].prototype))));`;
  const printed = await run(process.execPath, ['--input-type=module', '--eval', program]);
  const whole = [undici.Client, undici.Agent, undici.ProxyAgent].map(({ prototype }) => methodsOf(prototype));
  t.deepEqual(JSON.parse(printed.toString()), whole, moved);
});
