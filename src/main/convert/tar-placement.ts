// SPDX-License-Identifier: GPL-3.0-or-later

/** Where the entries of a tar land, and what a TOC says of them: checked by the very code that mounts check it with. */

import { NO_ID, xattrFault } from '../formats/entry.js';
import { readEntry } from '../formats/json-toc/entry.js';
import { formatTime, isBeyondTime } from '../formats/json-toc/format-time.js';
import { nameOfBytes } from '../formats/name-bytes.js';
import { Placement } from '../index/placement.js';
import { ENTRY_TYPE, type TarEntry } from '../tar/entry.js';
import { memberPath } from '../tar/names.js';
import type { Remarks } from './remarks.js';

/** An entry where it lands: symlinks on the way to it, and to what it is a hardlink of, are followed. */
export interface Placed {
  /** '' is the root. */
  readonly path: string;
  /** Hardlinks only. */
  readonly target: string | undefined;
  /** It took the place of something else. */
  readonly replaces: boolean;
  /** The node of the tree where it landed; -1: it is a hardlink to itself. */
  readonly node: number;
  /** The fields of its entry in the TOC, those that are empty left out by whoever writes them. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export class TarPlacement {
  readonly #placement = new Placement();
  readonly #remarks: Remarks;

  /** `remarks` takes what mounts show in another way than the tar says. */
  constructor(remarks: Remarks) {
    this.#remarks = remarks;
  }

  /** Takes the next entry. Throws LayerFault, which names it, for what no mount can show. */
  place(entry: TarEntry): Placed {
    const { tree } = this.#placement;
    const name = memberPath(nameOfBytes(entry.name));
    const fields = this.#fields(entry, name);
    const checked = readEntry(fields);
    const target = checked.type === 'hardlink' ? tree.locate(checked.link) : undefined;
    const before = tree.replaced;
    const node = this.#placement.add(checked);
    const path = node < 0 ? tree.locate(checked.path) : tree.path(node);
    const places = {
      name: `${path === '' ? '.' : path}${checked.type === 'dir' ? '/' : ''}`,
      linkName: target ?? checked.link,
    };
    return { path, target, node, replaces: tree.replaced > before, fields: { ...fields, ...places } };
  }

  /** No entry follows. Throws LayerFault for a hardlink that leads nowhere. */
  end(): void {
    this.#placement.end();
  }

  release(): void {
    this.#placement.release();
  }

  #fields(entry: TarEntry, name: string): Record<string, unknown> {
    const { type, size, mode, userName, groupName, devMajor, devMinor } = entry;
    const link = nameOfBytes(entry.linkName);
    if (isBeyondTime(entry.mtime)) this.#remarks.add('has a time beyond the years 0 to 9999, which is cut', name);
    return {
      name,
      type: ENTRY_TYPE[type],
      size,
      modtime: formatTime(entry.mtime),
      linkName: type === 'hardlink' ? memberPath(link) : link,
      mode,
      uid: this.#owner(entry.uid, name),
      gid: this.#owner(entry.gid, name),
      userName,
      groupName,
      devMajor,
      devMinor,
      xattrs: this.#xattrs(entry, name),
    };
  }

  #owner(id: number, name: string): number {
    if (id !== NO_ID) return id;
    this.#remarks.add(`has the owner ${NO_ID}, which is none: mounts show root's, as extracting it leaves it`, name);
    return 0;
  }

  #xattrs({ xattrs }: TarEntry, name: string): Record<string, string> | undefined {
    const kept: [string, string][] = [];
    for (const [xattr, value] of xattrs) {
      const fault = xattrFault(xattr, value.length);
      if (fault === undefined) kept.push([xattr, value.toString('base64')]);
      else this.#remarks.add('has an xattr that no file system takes, and mounts do without', name, fault);
    }
    return kept.length === 0 ? undefined : Object.fromEntries(kept);
  }
}
