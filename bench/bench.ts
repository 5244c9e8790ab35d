// SPDX-License-Identifier: GPL-3.0-or-later

/** What every workload is given. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Data } from './data/data.js';
import { howText, numberText } from './format.js';
import { type Contender, extracted, product } from './machines/contenders.js';
import { Discard } from './machines/discard.js';
import { Machine } from './machines/machine.js';
import type { Native } from './native/build.js';
import { Clock } from './native/clock.js';
import type { Plan } from './plan.js';
import { type Question, Samples } from './samples.js';
import { say } from './say.js';
import type { Undo } from './undo.js';
import { Verified } from './verify.js';

/** After which what a machine does is given up. */
const LIMIT_MS = 300_000;

export class Bench {
  readonly samples = new Samples();
  readonly verified = new Verified();
  /** What could not be measured, and why. */
  readonly failures: string[] = [];
  readonly plan: Plan;
  readonly data: Data;
  readonly native: Native;
  readonly clock: Clock;
  readonly peers: readonly Contender[];
  readonly undo: Undo;
  readonly discard: Discard;

  constructor(plan: Plan, data: Data, native: Native, peers: readonly Contender[], undo: Undo) {
    this.plan = plan;
    this.data = data;
    this.native = native;
    this.clock = new Clock(native, undo);
    this.peers = peers;
    this.undo = undo;
    this.discard = new Discard(undo);
  }

  /** The floor, the product and the peers. */
  get contenders(): readonly Contender[] {
    return [extracted, product, ...this.peers];
  }

  /** The product and the peers: all that are a plugin. */
  get plugins(): readonly Contender[] {
    return [product, ...this.peers];
  }

  /** Notes a value, and shows it. */
  record(question: Question, contender: string, value: number): void {
    this.samples.add(question, contender, value);
    const { what, metric, unit } = question;
    const title = [what, howText(question), metric].filter(Boolean).join(', ');
    say(`  ${contender.padEnd(30)} ${title.padEnd(66)} ${numberText(value).padStart(9)} ${unit}`);
  }

  /**
   * Has each contender do something on a machine of its own, in turn, so many times over. One that fails is left out from
   * then on, and the reason noted.
   */
  async inTurn(
    contenders: readonly Contender[],
    repetitions: number,
    measure: (machine: Machine) => Promise<void>,
  ): Promise<void> {
    const out = new Set<Contender>();
    for (let turn = 0; turn < repetitions; turn++) {
      for (const contender of contenders) {
        if (out.has(contender)) continue;
        if (!(await this.onMachine(contender, measure))) out.add(contender);
      }
    }
  }

  /** Notes, and shows, that something could not be measured. */
  failed(who: string, error: Error): void {
    const reason = error.message.trim().split('\n').at(-1) ?? '';
    this.failures.push(`${who}: ${reason}`);
    say(`  ${who} fails: ${reason}`);
  }

  /** Has a contender do something on a machine of its own. Returns false, and notes why, if that fails. */
  async onMachine(contender: Contender, measure: (machine: Machine) => Promise<void>): Promise<boolean> {
    const machine = new Machine(contender, this.clock, this.undo, this.discard);
    try {
      await within(LIMIT_MS, measure(machine));
      return true;
    } catch (error) {
      this.failed(contender.name, error as Error);
      return false;
    } finally {
      await machine.end();
    }
  }
}

/** Rejects if something is not done in so many milliseconds: it is not waited for any more. */
async function within(limitMs: number, work: Promise<void>): Promise<void> {
  const given = new AbortController();
  const late = sleep(limitMs, undefined, { signal: given.signal }).then(
    () => {
      throw new Error(`not done after ${limitMs / 1000} s`);
    },
    () => undefined,
  );
  try {
    await Promise.race([work, late]);
  } finally {
    given.abort();
  }
}
