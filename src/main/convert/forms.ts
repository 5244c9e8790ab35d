// SPDX-License-Identifier: GPL-3.0-or-later

import type { Deflater } from './deflater.js';
import type { LayerForm, OutputFormat } from './form.js';
import type { Remarks } from './remarks.js';
import { stargzForm } from './stargz/form.js';
import { zstdChunkedForm } from './zstd-chunked/form.js';

/** A new layer of a form; `remarks` takes what a person should know of it. Rejects where $TMPDIR is of no use. */
export async function formOf(format: OutputFormat, deflater: Deflater, remarks: Remarks): Promise<LayerForm> {
  return format === 'zstd:chunked' ? await zstdChunkedForm(deflater, remarks) : stargzForm(format, deflater);
}
