// SPDX-License-Identifier: GPL-3.0-or-later

/** Shows a line to whoever runs the benchmark. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
