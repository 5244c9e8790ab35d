// SPDX-License-Identifier: GPL-3.0-or-later

/** Version 1 of registries.conf, which is deprecated and still to be found: three lists of registries. */

import type { RegistryEntry } from './registries-conf.js';
import type { TomlTable } from './toml-table.js';

/** What the lists of version 1 mean in terms of version 2; undefined if all are empty or absent. Throws CRFS_USAGE. */
export function readVersion1(
  top: TomlTable,
): { readonly search: readonly string[]; readonly entries: readonly RegistryEntry[] } | undefined {
  const lists = top.table('registries');
  const read = (name: string): string[] => lists.table(name).hosts('registries');
  const [search, insecure, block] = [read('search'), read('insecure'), read('block')];
  const places = [...new Set([...insecure, ...block])];
  if (search.length + places.length === 0) return undefined;
  const entries = places.map((prefix) => ({
    prefix,
    location: prefix,
    insecure: insecure.includes(prefix),
    blocked: block.includes(prefix),
    mirrors: [],
  }));
  return { search, entries };
}
