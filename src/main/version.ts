// SPDX-License-Identifier: GPL-3.0-or-later

import { readFileSync } from 'node:fs';
import { home } from '../native/home.js';

export const { version } = JSON.parse(readFileSync(new URL('package.json', home), 'utf8')) as { version: string };
