// SPDX-License-Identifier: GPL-3.0-or-later

/** Converts argv[2] to argv[3] and prints the peak of this process's memory, in bytes. */

import { convert } from './setting.js';

const [source = '', destination = ''] = process.argv.slice(2);
const { uncompressedSize } = await convert(source, destination);
process.stdout.write(JSON.stringify({ peak: process.resourceUsage().maxRSS * 1024, uncompressedSize }));
