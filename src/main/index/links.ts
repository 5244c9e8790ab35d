// SPDX-License-Identifier: GPL-3.0-or-later

import { LayerFault, quote } from '../formats/fault.js';
import { bytesOfName, nameOfBytes } from '../formats/name-bytes.js';
import { Strings } from './strings.js';
import type { Tree } from './tree.js';

const ON_WALK = 1;
const RESOLVED = 2;

/**
 * Hardlinks of a layer. Each names the file that stands at its target when it comes, as an extraction would link it,
 * whatever replaces the target later; or, if none does yet, the one that stands there in the end.
 */
export class Links {
  readonly #tree: Tree;
  /** Targets that were not there yet: `first` of the link is the place, `size` the length, 0 once it is bound. */
  readonly #targets = new Strings();

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  /** Takes a hardlink; both paths are clean. Returns its node, or -1 if an extraction would find the link made already. */
  add(written: string, writtenTarget: string): number {
    const path = this.#tree.locate(written);
    const target = this.#tree.locate(writtenTarget);
    const there = this.#tree.find(target);
    if (path === target && there >= 0) {
      return -1;
    }
    if (path === '') {
      throw new LayerFault('the root is of type hardlink, not dir');
    }
    const { nodes } = this.#tree;
    const node = this.#tree.put(path, 0);
    if (there >= 0) {
      this.#bind(node, there, target);
    } else {
      const bytes = bytesOfName(target);
      nodes.first.at[node] = this.#targets.add(bytes);
      nodes.size.at[node] = bytes.length;
    }
    return node;
  }

  #bind(node: number, target: number, targetPath: string): void {
    const { nodes } = this.#tree;
    if (nodes.isDirectory(target)) {
      throw new LayerFault(`hardlink ${quote(this.#tree.path(node))}: its target ${quote(targetPath)} is a directory`);
    }
    nodes.first.at[node] = target;
    nodes.size.at[node] = 0;
  }

  /** Makes `first` of every hardlink the node of the file itself. Throws LayerFault if there is none. */
  resolve(): void {
    const { nodes } = this.#tree;
    for (let node = 1; node < nodes.count; node++) {
      if (nodes.isHardlink(node) && nodes.size.at[node] !== 0) {
        this.#bindForward(node);
      }
    }
    for (let node = 1; node < nodes.count; node++) {
      if (nodes.isHardlink(node)) {
        this.#follow(node);
      }
    }
  }

  /** Binds a link to a target that came after it. */
  #bindForward(node: number): void {
    const { nodes } = this.#tree;
    const place = nodes.first.at[node] as number;
    const bytes = this.#targets.bytes.at.slice(place, place + (nodes.size.at[node] as number));
    const target = nameOfBytes(bytes);
    const there = this.#tree.find(this.#tree.locate(target));
    if (there < 0) {
      throw new LayerFault(`hardlink ${quote(this.#tree.path(node))}: its target ${quote(target)} is not in the layer`);
    }
    this.#bind(node, there, target);
  }

  /** Follows the links from `node` to their file, each of them once in all. */
  #follow(node: number): void {
    const { nodes } = this.#tree;
    const marks = nodes.length.at;
    const walk: number[] = [];
    let at = node;
    while (nodes.isHardlink(at) && marks[at] !== RESOLVED) {
      if (marks[at] === ON_WALK) {
        throw new LayerFault(`hardlink ${quote(this.#tree.path(node))}: its target leads back to itself`);
      }
      marks[at] = ON_WALK;
      walk.push(at);
      at = nodes.first.at[at] as number;
    }
    const file = nodes.isHardlink(at) ? (nodes.first.at[at] as number) : at;
    for (const link of walk) {
      nodes.first.at[link] = file;
      marks[link] = RESOLVED;
    }
  }

  get memory(): number {
    return this.#targets.memory;
  }

  release(): void {
    this.#targets.release();
  }
}
