// SPDX-License-Identifier: GPL-3.0-or-later

/** How to end what was begun: all of it is ended in reverse, when it has served, or when the rest cannot be begun. */
export class Undo {
  readonly #steps: (() => void | Promise<void>)[] = [];

  /** `step` ends what was begun last. */
  add(step: () => void | Promise<void>): void {
    this.#steps.push(step);
  }

  /** Ends everything, whatever fails over it; `failed` is told of that. */
  async all(failed: (error: unknown) => void): Promise<void> {
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        failed(error);
      }
    }
  }
}
