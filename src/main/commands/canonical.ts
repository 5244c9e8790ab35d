// SPDX-License-Identifier: GPL-3.0-or-later

import { Workspace } from '../inspect/workspace.js';
import { parsePlatform } from '../registry/platform.js';
import { canonicalConfiguration } from '../sources/configuration.js';

/** What a person wrote, as the daemon is to get it. `platform` as --platform has it. Throws as canonicalConfiguration does. */
export async function canonicalIn(
  workspace: Workspace,
  written: string,
  platform: string | undefined,
): Promise<string> {
  const wanted = platform === undefined ? undefined : parsePlatform(platform);
  return await canonicalConfiguration(written, () => workspace.client(), wanted);
}

/** The same for who needs the workspace for nothing else. */
export async function canonicalFor(
  written: string,
  platform: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const workspace = new Workspace(environment);
  try {
    return await canonicalIn(workspace, written, platform);
  } finally {
    await workspace.close();
  }
}
