// SPDX-License-Identifier: GPL-3.0-or-later

import type { Link } from '../link/link.js';
import { type Images, imageName } from '../link/registry.js';
import type { Lower } from '../machines/mount-command.js';

/** Images behind a link. */
export interface Remote<Tag extends string> {
  readonly link: Link;
  readonly images: Images<Tag>;
}

/** An image as a lower directory. */
export function lowerOf<Tag extends string>({ link }: Remote<Tag>, tag: Tag): Lower {
  return { tree: '', layer: `docker://${imageName(link.host, tag)}` };
}

/**
 * What is done in a container: in a directory with its tree. Throws if that does not come to what it should. What goes on then
 * is ended by what it resolves to, after the time that counts.
 */
export type Work = (tree: string) => Promise<Stop | undefined>;
export type Stop = () => Promise<void>;
