// SPDX-License-Identifier: GPL-3.0-or-later

/** Tells when a daemon has had nothing to do for a while. */
export class IdleWatch {
  readonly #ms: number;
  readonly #onIdle: () => void;
  #users = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  /** `onIdle` is called when nobody has used the daemon for so many seconds, from now on. */
  constructor(seconds: number, onIdle: () => void) {
    this.#ms = seconds * 1000;
    this.#onIdle = onIdle;
    this.#wait();
  }

  /** Somebody uses the daemon, until the function that this returns is called. */
  use(): () => void {
    this.#users++;
    clearTimeout(this.#timer);
    return () => {
      if (--this.#users === 0) this.#wait();
    };
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #wait(): void {
    if (!this.#stopped) this.#timer = setTimeout(this.#onIdle, this.#ms);
  }
}
