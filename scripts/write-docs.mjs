// SPDX-License-Identifier: GPL-3.0-or-later

// Writes the pages of docs/ that are made from the code.

import { writeFileSync } from 'node:fs';
import { settingsPage } from '../dist/src/main/settings/page.js';

writeFileSync('docs/settings.md', settingsPage());
