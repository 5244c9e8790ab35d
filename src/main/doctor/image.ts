// SPDX-License-Identifier: GPL-3.0-or-later

/** Whether an image can be had: its registry answers, credentials and policy let it pass. */

import { CrfsError } from '../errors/error.js';
import { findImage } from '../inspect/image.js';
import { Workspace } from '../inspect/workspace.js';
import { bad, type Finding, note, ok } from './check.js';

export async function checkImage(image: string | undefined): Promise<Finding> {
  if (image === undefined) return note('registry', 'none was asked', 'crfs doctor IMAGE asks that of an image');
  const workspace = new Workspace(process.env);
  try {
    const { resolved, layers } = await findImage(image, workspace, undefined);
    return ok('registry', `${resolved} is there, of ${layers.length === 1 ? '1 layer' : `${layers.length} layers`}`);
  } catch (error) {
    if (!(error instanceof CrfsError)) throw error;
    return bad(
      'registry',
      error.message,
      'see "Registries" in docs/cli.md: credentials, certificates, proxies, policy.json',
    );
  } finally {
    await workspace.close();
  }
}
