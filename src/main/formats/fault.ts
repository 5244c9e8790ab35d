// SPDX-License-Identifier: GPL-3.0-or-later

import { CrfsError } from '../errors/error.js';

/** A rule of the format that a layer breaks, told by code that knows the rule and not the layer's name. */
export class LayerFault extends Error {}

/** Runs `work`; a LayerFault then names the entry. */
export function namingEntry<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw ofEntry(name, error);
  }
}

/** A LayerFault as one that names the entry; other errors stay as they are. */
export function ofEntry(name: string, error: unknown): unknown {
  if (!(error instanceof LayerFault)) return error;
  return new LayerFault(`entry ${quote(name)}: ${error.message}`, { cause: error });
}

/** Turns a decoder's error into a fault of the layer; errors that are ours already stay as they are. */
export function asFault(error: unknown, what: string): Error {
  if (error instanceof LayerFault || error instanceof CrfsError) {
    return error;
  }
  return new LayerFault(`${what}: ${(error as Error).message}`, { cause: error });
}

/** A LayerFault as a CRFS_BAD_LAYER that names the blob; other errors stay as they are. */
export function asBadLayer(error: unknown, blob: string): unknown {
  if (!(error instanceof LayerFault)) return error;
  return new CrfsError('CRFS_BAD_LAYER', `${blob}: ${error.message}`, { cause: error });
}

/** Runs `work`; a LayerFault becomes a CRFS_BAD_LAYER that names the blob. */
export async function namingBlob<T>(blob: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asBadLayer(error, blob);
  }
}

const QUOTE_LIMIT = 200;

/** A value out of a layer, as one line of bounded length that no terminal mistakes for anything else. */
export function quote(value: unknown): string {
  const begun = typeof value === 'string' ? value.slice(0, QUOTE_LIMIT + 1) : value;
  const text = typeof value === 'number' ? String(value) : JSON.stringify(begun);
  return text.length > QUOTE_LIMIT ? `${text.slice(0, QUOTE_LIMIT)}...` : text;
}
