// SPDX-License-Identifier: GPL-3.0-or-later

const START_WITHIN_MS = 30_000;

/** Workers whose threads do not serve yet. A pool whose threads cannot start (no memory, no processes left) says nothing. */
export class Starting {
  readonly #workers = new Map<number, { readonly late: NodeJS.Timeout; readonly giveUp: AbortController }>();

  get count(): number {
    return this.#workers.size;
  }

  /** The one that was begun last. */
  get last(): number | undefined {
    return [...this.#workers.keys()].at(-1);
  }

  /** A worker is begun. Returns what tells its task that it is done without; `onLate` is called if it takes too long. */
  begin(worker: number, onLate: () => void): AbortSignal {
    this.end(worker);
    const giveUp = new AbortController();
    this.#workers.set(worker, { late: setTimeout(onLate, START_WITHIN_MS).unref(), giveUp });
    return giveUp.signal;
  }

  /** It serves, or nobody waits for that any more. */
  end(worker: number): void {
    clearTimeout(this.#workers.get(worker)?.late);
    this.#workers.delete(worker);
  }

  /** It is done without. */
  giveUp(worker: number): void {
    const giveUp = this.#workers.get(worker)?.giveUp;
    this.end(worker);
    giveUp?.abort();
  }

  /** None of them is late any more, as all is about to end. */
  waitNoMore(): void {
    for (const { late } of this.#workers.values()) clearTimeout(late);
  }
}
