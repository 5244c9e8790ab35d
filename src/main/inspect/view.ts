// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * One tree out of the layers of an image, as an overlay shows them: whiteouts `.wh.NAME` and character devices 0/0 hide
 * what lies below them, `.wh..wh..opq` and the opaque attributes cut a directory off, and what is no directory covers all.
 */

import { CrfsError } from '../errors/error.js';
import { bytesOfName, nameOfBytes } from '../formats/name-bytes.js';
import { S_IFCHR, S_IFMT } from '../index/modes.js';
import { SYMLINKS_LIMIT } from '../index/tree.js';
import { WHITEOUT } from '../index/whiteouts.js';
import type { InspectedLayer } from './layer.js';

/** A file in one layer. */
export interface Part {
  readonly layer: InspectedLayer;
  readonly inode: number;
}

/** What a path leads to. */
export interface Node extends Part {
  /** Clean, relative; '' is the root. */
  readonly path: string;
  /** The layers that a directory is made of, the topmost first; of anything else, its own alone. */
  readonly parts: readonly Part[];
}

const OPAQUE_FILE = '.wh..wh..opq';
const OPAQUE_XATTRS = ['trusted.overlay.opaque', 'user.overlay.opaque', 'user.fuseoverlayfs.opaque'];
/** The value of an opaque attribute: 'y'. */
const Y = 'y'.charCodeAt(0);

export class View {
  readonly root: Node;
  readonly #name: string;
  readonly #raw: boolean;

  /** `layers`, the base first; `name` is what a person calls them. A raw view is of one layer, and shows its whiteouts. */
  constructor(layers: readonly InspectedLayer[], name: string, raw: boolean) {
    this.#name = name;
    this.#raw = raw;
    this.root = this.#stack('', layers.toReversed()) as Node; // every layer has a root, and nothing hides it
  }

  /**
   * Finds what a person names: parts that are symlinks are followed within the tree, the last one only with `follow`.
   * Throws CRFS_NOT_FOUND.
   */
  find(written: string, follow: boolean): Node {
    const asked = JSON.stringify(written);
    const rest = written.split('/').toReversed();
    let trail = [this.root];
    let links = 0;
    for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
      const directory = trail.at(-1) as Node;
      if (!isDirectory(directory))
        throw new CrfsError('CRFS_NOT_FOUND', `${asked}: ${shownPath(directory)} is no directory`);
      if (name === '..' && trail.length > 1) trail.pop();
      if (name === '' || name === '.' || name === '..') continue;
      const node = this.child(directory, name);
      if (node === undefined) {
        const missing = shownPath(directory, name);
        const what = missing === asked ? '' : `${asked}: `;
        throw new CrfsError('CRFS_NOT_FOUND', `${what}there is no ${missing} in ${this.#name}`);
      }
      if (!isSymlink(node) || (rest.length === 0 && !follow)) {
        trail.push(node);
        continue;
      }
      if (++links > SYMLINKS_LIMIT)
        throw new CrfsError('CRFS_NOT_FOUND', `${asked}: more than ${SYMLINKS_LIMIT} symlinks`);
      const target = node.layer.index.target(node.inode);
      if (target.startsWith('/')) trail = [this.root];
      rest.push(...target.split('/').toReversed());
    }
    return trail.at(-1) as Node;
  }

  /** What a directory holds under a name. */
  child(directory: Node, name: string): Node | undefined {
    const path = directory.path === '' ? name : `${directory.path}/${name}`;
    if (!this.#raw && name.startsWith(WHITEOUT)) return undefined;
    return this.#stack(
      path,
      directory.parts.map(({ layer }) => layer),
    );
  }

  /** What a directory holds, sorted by the bytes of the names. */
  *children(directory: Node): Generator<Node> {
    const names = new Set<string>();
    for (const { layer, inode } of directory.parts) {
      if (!layer.index.isDirectory(inode)) continue;
      for (const { path } of layer.index.children(inode)) names.add(nameOf(path));
    }
    const sorted = [...names].map(bytesOfName).sort((a, b) => a.compare(b));
    for (const name of sorted) {
      const node = this.child(directory, nameOfBytes(name));
      if (node !== undefined) yield node;
    }
  }

  /** All below a directory, each directory before what it holds. */
  *descendants(directory: Node): Generator<Node> {
    const walks = [this.children(directory)];
    for (let walk = walks.at(-1); walk !== undefined; walk = walks.at(-1)) {
      const { value: node, done } = walk.next();
      if (done) {
        walks.pop();
        continue;
      }
      yield node;
      if (isDirectory(node)) walks.push(this.children(node));
    }
  }

  /** What a path leads to in a stack of layers, the topmost first; undefined if nothing does, or it is hidden. */
  #stack(path: string, layers: readonly InspectedLayer[]): Node | undefined {
    const parts: Part[] = [];
    for (const layer of layers) {
      if (!this.#raw && hasWhiteout(layer, path)) break;
      const inode = layer.index.find(path);
      if (inode < 0) continue;
      const directory = layer.index.isDirectory(inode);
      if (!directory && (parts.length > 0 || (!this.#raw && isWhiteoutDevice(layer, inode)))) break;
      parts.push({ layer, inode });
      if (!directory || isOpaque(layer, path, inode)) break;
    }
    return parts[0] && { ...parts[0], path, parts };
  }
}

export function isDirectory({ layer, inode }: Part): boolean {
  return layer.index.isDirectory(inode);
}

function isSymlink({ layer, inode }: Part): boolean {
  return layer.index.isSymlink(inode);
}

/** The last part of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** A path for messages: what a directory, or a name in it, is called. */
function shownPath(directory: Node, name = ''): string {
  return JSON.stringify(`/${[directory.path, name].filter((part) => part !== '').join('/')}`);
}

function hasWhiteout({ index }: InspectedLayer, path: string): boolean {
  const name = nameOf(path);
  return path !== '' && index.find(`${path.slice(0, path.length - name.length)}${WHITEOUT}${name}`) >= 0;
}

function isWhiteoutDevice({ index }: InspectedLayer, inode: number): boolean {
  return (index.mode(inode) & S_IFMT) === S_IFCHR && index.major(inode) === 0 && index.minor(inode) === 0;
}

function isOpaque({ index }: InspectedLayer, path: string, inode: number): boolean {
  const xattrs = index.xattrs(inode);
  for (const name of OPAQUE_XATTRS) {
    const xattr = xattrs.find((candidate) => candidate.name === name);
    if (xattr !== undefined) return xattr.value[0] === Y;
  }
  return index.find(path === '' ? OPAQUE_FILE : `${path}/${OPAQUE_FILE}`) >= 0;
}
