// SPDX-License-Identifier: GPL-3.0-or-later

/** Columns of text, each as wide as its widest cell. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** Bytes for a person: 1.5 MiB */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** So many of a thing: `1 layer`, `2 layers` */
export function counted(number: number, thing: string): string {
  return number === 1 ? `1 ${thing}` : `${number} ${thing}s`;
}

/** A text in at most so many columns of a terminal: what is too long loses its middle. */
export function cutTo(text: string, columns: number): string {
  const start = Array.from(text);
  let width = start.reduce((sum, letter) => sum + columnsOf(letter), 0);
  if (width <= columns) return text;
  const end = start.splice(start.length >> 1);
  for (width++; width > columns && start.length + end.length > 0; ) {
    width -= columnsOf((start.length > end.length ? start.pop() : end.shift()) ?? '');
  }
  return `${start.join('')}…${end.join('')}`;
}

/** A text in lines of at most so many letters, broken at spaces: a word that is longer has a line of its own. */
export function foldAt(text: string, columns: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) as string;
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= columns) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Letters from Korean on may be two columns wide. */
function columnsOf(letter: string): number {
  return letter >= '\u1100' ? 2 : 1;
}

/** Digests in a line for people, short enough to fit, and long enough to be told apart. */
export function shortenDigests(line: string): string {
  return line.replace(/(?<![/@])\b(sha256:[0-9a-f]{12})[0-9a-f]{52}\b/g, '$1');
}
