// SPDX-License-Identifier: GPL-3.0-or-later

/** JSON in which no key may come twice: JSON.parse takes the last one, and says nothing. */

import { parse, type ValueNode } from '@humanwhocodes/momoa';

/** Throws an Error of one line for anything but one JSON value without duplicate keys. Its objects have no prototype. */
export function parseStrictly(text: string): unknown {
  return valueOf(parse(text, { mode: 'json' }).body);
}

function valueOf(node: ValueNode): unknown {
  switch (node.type) {
    case 'Object': {
      const table = Object.create(null) as Record<string, unknown>; // `__proto__` is a key like any other
      for (const { name, value } of node.members) {
        const key = name.type === 'String' ? name.value : name.name;
        const { line, column } = name.loc.start;
        if (key in table) throw new Error(`duplicate key ${JSON.stringify(key)} (${line}:${column})`);
        table[key] = valueOf(value);
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
