// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * What of podman's needs a store: read off its files, since podman itself may not start while a store is broken. A layer
 * from a store is, in its storage, a symlink to there.
 */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { look } from '../daemon/processes.js';
import { checkJson } from '../schema/check.js';

export interface Needed {
  /** Containers, running or not, and images: their first names, or short IDs. */
  readonly containers: readonly string[];
  readonly images: readonly string[];
}

const layersSchema = v.array(v.object({ id: v.string(), parent: v.optional(v.string(), '') }));
const usersSchema = v.array(
  v.object({ id: v.string(), names: v.optional(v.nullable(v.array(v.string()))), layer: v.optional(v.string(), '') }),
);

/** What in podman's storage at `graphRoot` needs the store at a directory. Throws CRFS_INTERNAL for files that are none of podman's. */
export function neededOf(store: string, graphRoot: string): Needed {
  const inStore = new Set(layersIn(store, join(graphRoot, 'overlay')));
  const layers = readLists(layersSchema, join(graphRoot, 'overlay-layers'), 'layers.json');
  const parents = new Map(layers.map(({ id, parent }) => [id, parent]));
  const needs = (layer: string): boolean => {
    const seen = new Set<string>();
    for (let id = layer; id !== '' && !seen.has(id); id = parents.get(id) ?? '') {
      if (inStore.has(id)) return true;
      seen.add(id);
    }
    return false;
  };
  const named = (kind: 'container' | 'image'): string[] =>
    readLists(usersSchema, join(graphRoot, `overlay-${kind}s`), `${kind}s.json`)
      .filter(({ layer }) => needs(layer))
      .map(({ id, names }) => names?.[0] ?? id.slice(0, 12));
  return { containers: named('container'), images: named('image') };
}

/** Where layers in podman's storage at `graphRoot` are that are kept in stores: DIR/IMAGE/LAYER/diff. */
export function linkedLayers(graphRoot: string): string[] {
  return [...links(join(graphRoot, 'overlay')).values()].filter((target) => target.startsWith('/'));
}

/** The stores that these are in, each once. */
export function storesLedTo(graphRoot: string): string[] {
  return [...new Set(linkedLayers(graphRoot).map((target) => dirname(dirname(dirname(target)))))];
}

function layersIn(store: string, overlay: string): string[] {
  return [...links(overlay)].filter(([, target]) => target.startsWith(`${store}/`)).map(([id]) => id);
}

/** Where the files of layers are that are kept elsewhere, by the IDs of the layers. */
function links(overlay: string): Map<string, string> {
  const ids = look(() => readdirSync(overlay)) ?? [];
  return new Map(
    ids.flatMap((id) => {
      const target = look(() => readlinkSync(join(overlay, id, 'diff')));
      return target === undefined ? [] : [[id, target]];
    }),
  );
}

/** Newer versions of podman keep what need not outlast the machine's end in a second list. */
function readLists<T>(schema: v.GenericSchema<unknown, T[]>, directory: string, name: string): T[] {
  return [name, `volatile-${name}`].flatMap((one) => {
    const path = join(directory, one);
    const text = look(() => readFileSync(path));
    return text === undefined ? [] : checkJson(schema, text, { where: path, code: 'CRFS_INTERNAL' });
  });
}
