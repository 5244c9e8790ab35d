// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Where a test holds up what may not go on yet: so that things happen in the order that the test is about, however fast or
 * slow any of them is.
 *
 *     const gate = new Gate();
 *     proxy.fault = ({ path }) => (path.includes('/blobs/') ? { kind: 'hold', gate, after: 1000 } : undefined);
 *     const reading = readFile(path);
 *     await until('the answer is held', () => gate.arrivals === 1);
 *     …                             // what has to happen before the rest of the answer comes
 *     gate.open();
 *     await reading;
 */
export class Gate {
  /** How many have come here so far, whether they were held or not. */
  arrivals = 0;
  readonly #opened: Promise<void>;
  #open: () => void = () => undefined;

  constructor() {
    this.#opened = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  /** Resolves once the gate is open. */
  async pass(): Promise<void> {
    this.arrivals++;
    await this.#opened;
  }

  /** Lets go all that wait here, and all that come from now on. */
  open(): void {
    this.#open();
  }
}
