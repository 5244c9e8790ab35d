// SPDX-License-Identifier: GPL-3.0-or-later

import { readFileSync } from 'node:fs';

const manifest = new URL('../../../package.json', import.meta.url); // this file, compiled, stands at dist/src/main

export const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
