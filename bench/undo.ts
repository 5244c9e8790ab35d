// SPDX-License-Identifier: GPL-3.0-or-later

/** What must be undone before the process ends, however it ends: mounts, daemons, servers, directories. */
export class Undo {
  readonly #steps = new Set<() => Promise<void>>();
  readonly #last: (() => Promise<void>)[] = [];
  #closed = false;

  /** Notes a step. Returns a function that takes it, once. Throws when the end has begun. */
  add(step: () => Promise<void>): () => Promise<void> {
    if (this.#closed) throw new Error('interrupted');
    const once = async (): Promise<void> => {
      if (this.#steps.delete(once)) await step();
    };
    this.#steps.add(once);
    return once;
  }

  /** Notes a step to be taken after all others. */
  last(step: () => Promise<void>): void {
    this.#last.push(step);
  }

  /** Takes the steps that are left, the newest first; one that fails is reported, and stops no other. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const step of [...[...this.#steps].toReversed(), ...this.#last.splice(0)]) {
      try {
        await step();
      } catch (error) {
        process.stderr.write(`cannot clean up: ${(error as Error).message}\n`);
      }
    }
  }
}
