// SPDX-License-Identifier: GPL-3.0-or-later

import { CrfsError } from '../errors/error.js';

/**
 * The error with which a mount has failed; CRFS_USAGE, if that says what is wrong with the settings: the daemon reads them, of
 * which only its words come back.
 */
export async function settingsBlamed(error: unknown): Promise<unknown> {
  if (!(error instanceof CrfsError) || error.code !== 'CRFS_INTERNAL') return error;
  const wrong = await wrongSetting();
  if (wrong === undefined || !error.message.endsWith(`: ${wrong}`)) return error;
  return new CrfsError('CRFS_USAGE', error.message, { cause: error });
}

async function wrongSetting(): Promise<string | undefined> {
  const { loadSettings } = await import('../settings/settings.js'); // what a mount that succeeds does without
  try {
    await loadSettings({});
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
