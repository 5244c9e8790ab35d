// SPDX-License-Identifier: GPL-3.0-or-later

/** Opens images to read and to write, by what a person writes. */

import { CrfsError } from '../errors/error.js';
import { localImage } from '../policy/subject.js';
import { openForeignBlob } from '../registry/blob-source.js';
import type { RegistryClient } from '../registry/client.js';
import { dockerArchiveDestination, ociArchiveDestination } from './archive-destination.js';
import { directorySource } from './directory-source.js';
import { dockerArchiveSource } from './docker-archive.js';
import { archiveFiles, directoryFiles } from './files.js';
import { layoutDestination } from './layout-destination.js';
import { blobPath, layoutSource, type OpenElsewhere } from './layout-source.js';
import { endedBy, registryDestination, registrySource } from './registry.js';
import type { ImageDestination, ImageSource } from './types.js';

/** `transport:PATH[:TAG]`; no path has a colon. */
const LOCAL = /^(oci|dir|oci-archive|docker-archive):([^:]+)(?::(.+))?$/;
const forms = ['oci:DIR[:TAG]', 'dir:DIR', 'oci-archive:FILE[:TAG]', 'docker-archive:FILE[:NAME]'];

/** Whether a text names an image by a transport, so that it can be nothing else. */
export function namesTransport(text: string): boolean {
  return /^(oci|dir|oci-archive|docker-archive|docker):/.test(text);
}

interface LocalForm {
  readonly transport: string;
  readonly path: string;
  readonly tag: string | undefined;
}

/** What a text names that lies on disk; undefined for any other form. Throws CRFS_USAGE. */
function localForm(text: string): LocalForm | undefined {
  const [, transport, path, tag] = LOCAL.exec(text) ?? [];
  const hasNoTags = transport === 'dir' && tag !== undefined;
  if (transport !== undefined && path !== undefined && !hasNoTags) return { transport, path, tag };
  if (!namesTransport(text) || text.startsWith('docker:')) return undefined;
  const form = forms.find((one) => one.startsWith(text.slice(0, text.indexOf(':') + 1)));
  throw new CrfsError('CRFS_USAGE', `${JSON.stringify(text)} names no image: write ${form}`);
}

/** Whether a text names an image at all, without looking for it. Rejects with CRFS_USAGE. */
export async function checkName(text: string, client: RegistryClient): Promise<void> {
  if (localForm(text) === undefined) await client.candidates(text);
}

/** The same for an image to write. */
export async function checkDestination(text: string, client: RegistryClient): Promise<void> {
  if (localForm(text)?.transport === 'dir') {
    throw new CrfsError('CRFS_USAGE', `${text} is only read: write oci:DIR[:TAG]`);
  }
  await checkName(text, client);
}

/** Opens `oci:DIR[:TAG]`, `dir:DIR`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:NAME]`, `docker://NAME` or a bare name. */
export async function openSource(text: string, client: RegistryClient, signal: AbortSignal): Promise<ImageSource> {
  return (await openLocalSource(text, client, { signal })) ?? (await registrySource(client, text, signal));
}

/** Opens one of the forms that lie on disk; undefined for any other. `trusted`: no policy is asked. Rejects as reading them does. */
export async function openLocalSource(
  text: string,
  client: RegistryClient,
  { signal, trusted = false }: { readonly signal?: AbortSignal; readonly trusted?: boolean } = {},
): Promise<ImageSource | undefined> {
  const form = localForm(text);
  if (form === undefined) return undefined;
  const { transport, path, tag } = form;
  if (!trusted) await client.trust.require(await localImage(transport, path));
  const elsewhere: OpenElsewhere = (descriptor, name) => {
    const source = openForeignBlob(client, descriptor, name);
    return source && signal ? endedBy(signal, source) : source;
  };
  if (transport === 'dir') return directorySource(directoryFiles(path));
  if (transport === 'oci') {
    const files = directoryFiles(path);
    const pathOf: ImageSource['pathOf'] = ({ digest }) => files.pathOf(blobPath(digest));
    return { ...(await layoutSource(files, tag, elsewhere)), pathOf };
  }
  const files = await archiveFiles(path);
  try {
    return await (transport === 'oci-archive' ? layoutSource(files, tag, elsewhere) : dockerArchiveSource(files, tag));
  } catch (error) {
    await files.close();
    throw error;
  }
}

/** Opens the same for writing. */
export async function openDestination(
  text: string,
  client: RegistryClient,
  signal: AbortSignal,
): Promise<ImageDestination> {
  const form = localForm(text);
  if (form === undefined) return await registryDestination(client, text, signal);
  const { transport, path, tag } = form;
  if (transport === 'oci') return await layoutDestination(path, tag);
  return await (transport === 'oci-archive' ? ociArchiveDestination : dockerArchiveDestination)(path, tag);
}
