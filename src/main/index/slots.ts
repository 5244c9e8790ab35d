// SPDX-License-Identifier: GPL-3.0-or-later

import { addon } from '../../native/addon.js';
import { LayerFault } from '../formats/fault.js';
import { placeEnd, placeOver, placeStart, tagEnd, tagOver, tagStart } from './hash.js';
import type { Tree } from './tree.js';

const { probeLimit } = addon.layout.constants;
/** Slots a dirent, at most: paths that do not spread over these were made to collide. */
const SPREAD_LIMIT = 16;

/** The index's hash table: dirent + 1 by slot, or 0, and the tags of all dirents. */
export interface Slots {
  readonly dirents: Uint32Array;
  readonly tags: Uint32Array;
  /** The most slots that a lookup has to try. */
  readonly probes: number;
}

/** Hashes the path of each dirent (its node) under the seed; no slot is further than CRFS_PROBE_LIMIT from its place. */
export function fillSlots(tree: Tree, nodeOfDirent: Uint32Array, seed: number): Slots {
  const { places, tags } = hashPaths(tree, nodeOfDirent, seed);
  const count = nodeOfDirent.length;
  let slots = 2;
  while (slots < count * 2) {
    slots *= 2;
  }
  for (; slots <= Math.max(count * SPREAD_LIMIT, probeLimit); slots *= 2) {
    const dirents = new Uint32Array(slots);
    const probes = insert(dirents, places);
    if (probes <= probeLimit) {
      return { dirents, tags, probes };
    }
  }
  throw new LayerFault('the hashes of its paths collide');
}

/** Inserts all dirents at their places; returns the probes that the furthest takes, or more than the limit. */
function insert(dirents: Uint32Array, places: Uint32Array): number {
  const mask = dirents.length - 1;
  let probes = 1;
  for (let dirent = 0; dirent < places.length && probes <= probeLimit; dirent++) {
    let slot = (places[dirent] as number) & mask;
    let tried = 1;
    while (dirents[slot] !== 0) {
      slot = (slot + 1) & mask;
      tried++;
    }
    dirents[slot] = dirent + 1;
    probes = Math.max(probes, tried);
  }
  return probes;
}

/** Both words of the hash of each dirent's path, each going on from that of its directory. */
function hashPaths({ nodes, strings }: Tree, nodeOfDirent: Uint32Array, seed: number) {
  const bytes = strings.bytes.at;
  const placeStates = new Int32Array(nodes.count);
  const tagStates = new Int32Array(nodes.count);
  placeStates[0] = placeStart(seed);
  tagStates[0] = tagStart(seed);
  for (let node = 1; node < nodes.count; node++) {
    const parent = nodes.parent.at[node] as number;
    const path = nodes.path.at[node] as number;
    const start = path + (nodes.pathLength.at[parent] as number); // the slash, or the first byte below the root
    const end = path + (nodes.pathLength.at[node] as number);
    placeStates[node] = placeOver(placeStates[parent] as number, bytes, start, end);
    tagStates[node] = tagOver(tagStates[parent] as number, bytes, start, end);
  }
  const places = new Uint32Array(nodeOfDirent.length);
  const tags = new Uint32Array(nodeOfDirent.length);
  for (let dirent = 0; dirent < nodeOfDirent.length; dirent++) {
    places[dirent] = placeEnd(placeStates[nodeOfDirent[dirent] as number] as number);
    tags[dirent] = tagEnd(tagStates[nodeOfDirent[dirent] as number] as number);
  }
  return { places, tags };
}
