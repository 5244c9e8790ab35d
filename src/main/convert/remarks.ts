// SPDX-License-Identifier: GPL-3.0-or-later

import { quote } from '../formats/fault.js';

interface Remark {
  readonly name: string;
  readonly detail: string | undefined;
  count: number;
}

/** What a person should know of a conversion: of each kind one example, and how many there are. */
export class Remarks {
  readonly #kinds = new Map<string, Remark>();

  /** `what` says something of the entry `name`, and is the remark's kind. */
  add(what: string, name: string, detail?: string): void {
    const known = this.#kinds.get(what);
    if (known) known.count++;
    else this.#kinds.set(what, { name, detail, count: 1 });
  }

  /** A line for each kind. */
  list(): string[] {
    return [...this.#kinds].map(([what, { name, detail, count }]) => {
      const more = count > 1 ? `, as is so with ${count - 1} more` : '';
      return `${quote(name)} ${what}${detail === undefined ? '' : ` (${detail})`}${more}`;
    });
  }
}
