// SPDX-License-Identifier: GPL-3.0-or-later

/** JSON in which no key may come twice: JSON.parse takes the last one, and says nothing. */

import { parse, type ValueNode } from '@humanwhocodes/momoa';

export type StrictValue = string | number | boolean | null | readonly StrictValue[] | StrictTable;
export type StrictTable = ReadonlyMap<string, StrictValue>;

/** Throws an Error of one line for anything but one JSON value without duplicate keys. */
export function parseStrictly(text: string): StrictValue {
  return valueOf(parse(text, { mode: 'json' }).body);
}

function valueOf(node: ValueNode): StrictValue {
  switch (node.type) {
    case 'Object': {
      const table = new Map<string, StrictValue>();
      for (const { name, value } of node.members) {
        const key = name.type === 'String' ? name.value : name.name;
        const { line, column } = name.loc.start;
        if (table.has(key)) throw new Error(`duplicate key ${JSON.stringify(key)} (${line}:${column})`);
        table.set(key, valueOf(value));
      }
      return table;
    }
    case 'Array':
      return node.elements.map(({ value }) => valueOf(value));
    case 'String':
    case 'Number':
    case 'Boolean':
      return node.value;
    case 'Null':
      return null;
    default:
      throw new Error(`${node.type} is no JSON`);
  }
}
