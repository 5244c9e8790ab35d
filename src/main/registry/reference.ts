// SPDX-License-Identifier: GPL-3.0-or-later

/** Image references: the grammar of the distribution specification, and podman's rules for what may be left out. */

import { isDigest } from '../blob/digest.js';
import { CrfsError } from '../errors/error.js';
import type { Reference } from './types.js';

const HOST =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::(\d{1,5}))?$/;
const PART = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
/** The distribution specification's bound on `registry/repository`. */
const NAME_LIMIT = 255;

/** A name that states no registry: podman looks such a one up among aliases and search registries. */
export interface ShortName {
  readonly name: string;
  readonly tag?: string;
  readonly digest?: string;
}

/** Whether `text` is `host` or `host:port`. */
export function isRegistry(text: string): boolean {
  const match = HOST.exec(text);
  return match !== null && (match[1] === undefined || (Number(match[1]) > 0 && Number(match[1]) < 65536));
}

/** Whether `text` is `host:port` of a host that is not named as images are, though it may be meant for `name:tag`. */
export function looksLikeRegistry(text: string): boolean {
  return isRegistry(text) && /^(?:localhost|.*[.\]].*):\d+$/.test(text);
}

/** Whether `text` is a repository's path: lower-case parts, separated by slashes. */
export function isRepository(text: string): boolean {
  return text.split('/').every((part) => PART.test(part));
}

function refuse(text: string, why: string): CrfsError {
  return new CrfsError('CRFS_USAGE', `${JSON.stringify(text.slice(0, 300))} is not an image reference: ${why}`);
}

/** Splits `name[:tag][@digest]`, checking tag and digest. */
function splitSuffix(text: string, whole: string): ShortName {
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest))
    throw refuse(whole, 'after @ come sha256: and 64 lower-case hex digits');
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(':');
  const tag = colon > named.lastIndexOf('/') ? named.slice(colon + 1) : undefined;
  if (tag !== undefined && !TAG.test(tag))
    throw refuse(whole, 'a tag has 1 to 128 letters, digits, _ . - and starts with neither . nor -');
  const name = tag === undefined ? named : named.slice(0, colon);
  return { name, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
}

/** The first part of a name is a registry's if a path could not look like it; otherwise the name is short. */
function registryOf(name: string): string | undefined {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  return first === 'localhost' || /[.:A-Z[]/.test(first) ? first : undefined;
}

function checked(registry: string, repository: string, suffix: ShortName, whole: string): Reference {
  if (!isRegistry(registry)) throw refuse(whole, `${JSON.stringify(registry)} is not host[:port]`);
  if (!isRepository(repository)) {
    throw refuse(whole, 'a name has parts of lower-case letters and digits, joined by . _ __ or -, separated by /');
  }
  if (registry.length + repository.length >= NAME_LIMIT) throw refuse(whole, `its name is longer than ${NAME_LIMIT}`);
  const tag = suffix.tag ?? (suffix.digest === undefined ? 'latest' : undefined);
  return {
    registry,
    repository,
    ...(tag !== undefined && { tag }),
    ...(suffix.digest !== undefined && { digest: suffix.digest }),
  };
}

/**
 * The reference that stands for `registry/name`, where docker.io has the namespace `library` for names of one part. Throws
 * CRFS_USAGE, which names what was `written`.
 */
export function qualify(registry: string, short: ShortName, written = `${registry}/${short.name}`): Reference {
  if (registry === 'index.docker.io') return qualify('docker.io', short, written);
  const repository = registry === 'docker.io' && !short.name.includes('/') ? `library/${short.name}` : short.name;
  return checked(registry, repository, short, written);
}

/** What containers tools write before other places than registries; images do not have these names. `Docker://` is one: transports have small letters. */
const OTHER_PLACE =
  /^(?:containers-storage|dir|docker-archive|docker-daemon|oci|oci-archive|ostree|sif|tarball):|^[a-z]+:\/\//i;

/** Those of them where layers lie unpacked. */
const STORAGE = /^(?:containers-storage|docker-daemon):/i;

/** Those that are known, in small letters. */
const KNOWN = /^(?:dir|docker|docker-archive|oci|oci-archive):/i;

/** Whether `text` names what is neither a file nor an image of a registry. */
export function namesOtherPlace(text: string): boolean {
  return OTHER_PLACE.test(text) && !text.startsWith('docker://');
}

/**
 * Parses `docker://host[:port]/name[:tag][@digest]` or the same without `docker://`.
 * Behind `docker://` a name without a registry is docker.io's; a bare one comes back as a short name, to be resolved by configuration.
 * Throws CRFS_USAGE.
 */
export function parseReference(text: string): Reference | ShortName {
  const explicit = text.startsWith('docker://');
  if (namesOtherPlace(text)) throw refuse(text, whyNotThere(text));
  const rest = explicit ? text.slice('docker://'.length) : text;
  const suffix = splitSuffix(rest, text);
  if (/^$|\/$/.test(suffix.name)) throw refuse(text, "the image's name is missing");
  const registry = registryOf(suffix.name);
  if (registry !== undefined) {
    return qualify(registry, { ...suffix, name: suffix.name.slice(registry.length + 1) }, text);
  }
  if (explicit) return qualify('docker.io', suffix, text);
  if (/^[0-9a-f]{64}$/.test(suffix.name)) throw refuse(text, '64 hex digits would be an ID, not a name');
  if (looksLikeRegistry(text) && !isRepository(suffix.name)) throw refuse(text, "the image's name is missing");
  if (!isRepository(suffix.name))
    throw refuse(text, 'a name has parts of lower-case letters and digits, joined by . _ __ or -, separated by /');
  return suffix;
}

/** Why no image is taken from another place. */
function whyNotThere(text: string): string {
  const transport = text.slice(0, text.indexOf(':') + 1);
  if (STORAGE.test(text)) return `${transport} keeps no layers as they were: \`skopeo copy\` makes oci:DIR of it`;
  if (KNOWN.test(text)) return `write ${transport.toLowerCase()} in small letters`;
  const known = 'docker://NAME, oci:DIR[:TAG], dir:DIR, oci-archive:FILE[:TAG] and docker-archive:FILE[:NAME]';
  return `nothing is known of ${transport}, only of ${known}`;
}

/** Whether `text` names an image of a registry that it states. */
export function namesRegistry(text: string): boolean {
  try {
    return 'registry' in parseReference(text);
  } catch {
    return false;
  }
}

/** The canonical form: `docker://registry/repository[:tag][@digest]`. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `docker://${reference.registry}/${reference.repository}${tag}${digest}`;
}
