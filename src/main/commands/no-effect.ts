// SPDX-License-Identifier: GPL-3.0-or-later

/** Options that would do nothing, given what a command is to work on: whoever gives one expects something of it. */

import type { Command } from 'commander';
import { CrfsError } from '../errors/error.js';
import { type Kind, kindOf } from '../sources/configuration.js';

const IMAGES: readonly Kind[] = ['image on disk', 'image in a registry'];
const REGISTRIES: readonly Kind[] = ['image in a registry'];
const NETWORK: readonly Kind[] = ['image in a registry', 'url'];

/** What options have an effect on. Those of the policy are taken for all: what no policy knows meets every one. */
const FOR: Readonly<Record<string, readonly [what: string, kinds: readonly Kind[]]>> = {
  platform: ['images', IMAGES],
  authfile: ['registries', REGISTRIES],
  creds: ['registries', REGISTRIES],
  tlsVerify: ['registries and URLs', NETWORK],
  certDir: ['registries and URLs', NETWORK],
};

/** Throws CRFS_USAGE for an option on the command line that has no effect on what is `written`. */
export function refuseWithoutEffect(command: Command, written: string): void {
  const kind = kindOf(written);
  for (const [name, [what, kinds]] of Object.entries(FOR)) {
    if (!kinds.includes(kind)) refuse(command, [name], what, written);
  }
}

/** The same for a conversion from one end to another: each end has options of its own. */
export function refuseWithoutEffectOnEnds(command: Command, source: string, destination: string): void {
  const [from, to] = [source, destination].map((end) => REGISTRIES.includes(kindOf(end)));
  const reach = ['Authfile', 'Creds', 'TlsVerify', 'CertDir'];
  const refuseReach = (side: string, end: string): void => {
    const names = reach.map((name) => `${side}${name}`);
    refuse(command, names, 'registries', end);
  };
  if (!from) refuseReach('src', source);
  if (!to) refuseReach('dest', destination);
  if (!from && !to) refuse(command, ['authfile'], 'registries', `${source} and ${destination}`);
}

/** Throws CRFS_USAGE if one of these options, by the names of their attributes, was given. */
export function refuse(command: Command, names: readonly string[], what: string, written: string): void {
  const given = command.options.find((option) => {
    const name = option.attributeName();
    return names.includes(name) && command.getOptionValueSource(name) === 'cli';
  });
  if (given === undefined) return;
  throw new CrfsError('CRFS_USAGE', `${given.long} has no effect on ${written}: it is for ${what}`);
}
