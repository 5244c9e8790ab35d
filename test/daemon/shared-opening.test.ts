// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { SharedOpening } from '../../src/main/daemon/shared-opening.js';
import { Gate } from '../tools/gate.js';

interface Made {
  readonly gate: Gate;
  readonly left: string[];
  readonly signals: AbortSignal[];
  readonly opening: SharedOpening<string>;
}

function made(): Made {
  const gate = new Gate();
  const left: string[] = [];
  const signals: AbortSignal[] = [];
  const open = async (signal: AbortSignal): Promise<string> => {
    signals.push(signal);
    await gate.pass();
    return 'layer';
  };
  return { gate, left, signals, opening: new SharedOpening(open, (opened) => left.push(opened)) };
}

test('what is opened goes on as long as somebody waits for it', async (t) => {
  const { gate, left, signals, opening } = made();
  const [one, other] = [new AbortController(), new AbortController()];
  const first = opening.wait(one.signal);
  const second = opening.wait(other.signal);
  one.abort(new Error('gone'));
  await t.throwsAsync(first, { message: 'gone' });
  t.false(opening.isGivenUp);
  t.false(signals[0]?.aborted);
  gate.open();
  t.is(await second, 'layer');
  other.abort();
  t.is(opening.opened, 'layer');
  t.deepEqual(left, []);
});

test('it is given up with the last who waits, and what comes of it all the same is left', async (t) => {
  const { gate, left, signals, opening } = made();
  const one = new AbortController();
  const waiting = opening.wait(one.signal);
  one.abort(new Error('gone'));
  await t.throwsAsync(waiting, { message: 'gone' });
  t.true(opening.isGivenUp);
  t.true(signals[0]?.aborted);
  gate.open();
  await new Promise(setImmediate);
  t.deepEqual(left, ['layer']);
});

test('who comes when it is there gets it, and may go', async (t) => {
  const { gate, left, opening } = made();
  const one = new AbortController();
  gate.open();
  t.is(await opening.wait(one.signal), 'layer');
  one.abort();
  t.false(opening.isGivenUp);
  t.is(await opening.wait(new AbortController().signal), 'layer');
  t.deepEqual(left, []);
});
