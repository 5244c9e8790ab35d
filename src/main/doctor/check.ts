// SPDX-License-Identifier: GPL-3.0-or-later

/** What a look at one thing of a machine has found. */
export interface Finding {
  /** What was looked at: `kernel`, `podman` */
  readonly name: string;
  /** `note`: it works without; `bad`: something does not work. */
  readonly state: 'ok' | 'note' | 'bad';
  readonly says: string;
  /** What to do about it; null: nothing. */
  readonly advice: string | null;
}

export function ok(name: string, says: string): Finding {
  return { name, state: 'ok', says, advice: null };
}

export function note(name: string, says: string, advice: string | null): Finding {
  return { name, state: 'note', says, advice };
}

export function bad(name: string, says: string, advice: string): Finding {
  return { name, state: 'bad', says, advice };
}
