// SPDX-License-Identifier: GPL-3.0-or-later

/** Schemas that several formats are made of. Their messages stand behind "must be". */

import * as v from 'valibot';

type Table = Readonly<Record<string, unknown>>;

/** An object with these entries; others are ignored. Of an entry that is missing, the message says that it must be given. */
export function table<Entries extends v.ObjectEntries>(
  entries: Entries,
): v.ObjectSchema<Entries, (issue: v.ObjectIssue) => string> {
  return v.object(entries, (issue) => (issue.received === 'undefined' ? 'given' : 'an object'));
}

/** An object with these entries, one of which must be given, and no others. */
export function strictTable<Entries extends v.ObjectEntries>(
  entries: Entries,
): v.StrictObjectSchema<Entries, (issue: v.StrictObjectIssue) => string> {
  return v.strictObject(entries, ({ expected, received }) => {
    if (expected === 'never') return `one of ${Object.keys(entries).join(', ')}`;
    return received === 'undefined' ? 'given' : 'an object';
  });
}

/** Any object, as it is. */
export const anyTable = v.custom<Table>(isTable, 'an object');

/** An object whose values are strings, whatever its keys are. Go's encoder writes null for one that is not set: it is left out. */
export const strings = v.pipe(
  v.custom<Table>(
    (given) => isTable(given) && Object.values(given).every((value) => value === null || typeof value === 'string'),
    'an object of strings',
  ),
  v.transform(
    (given) =>
      Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null)) as Record<string, string>,
  ),
);

/** A string, or nothing: the empty one, also for what is no string. For what others write as they like. */
export const anyText = v.fallback(v.string(), '');

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
