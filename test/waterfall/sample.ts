// SPDX-License-Identifier: GPL-3.0-or-later

import type { StartRecord } from '../../src/main/waterfall/record.js';

/** A digest that is none of anything. */
export function digest(n: number): string {
  return `sha256:${n.toString(16).padStart(64, '0')}`;
}

/** A start of two layers: what a reader waited for, what came along with it, and what an earlier start had read. */
export const START: StartRecord = {
  image: digest(1),
  began: '2026-01-02T03:04:05.678Z',
  layers: [digest(2), digest(3)],
  resolved: 20,
  ready: 60,
  files: [
    { layer: 1, path: 'usr/bin/python3.11' },
    { layer: 0, path: 'usr/lib/x86_64-linux-gnu/libc.so.6' },
    { layer: 1, path: 'usr/lib/python3.11/encodings/utf_8.py' },
    { layer: 0, path: 'usr/share/doc/never-read' },
  ],
  reads: [
    { file: 0, bytes: 2_400_000, at: 70, request: 1 },
    { file: 1, bytes: 800_000, at: 150, request: 2 },
    { file: 2, bytes: 1200, at: 215, request: 1 },
  ],
  waits: [
    { file: 0, at: 70, ms: 70, networkMs: 60 },
    { file: 1, at: 150, ms: 50, networkMs: 40 },
    { file: 2, at: 160, ms: 10, networkMs: 0 },
  ],
  requests: [
    { layer: 1, purpose: 'toc', bytes: 1_000_000, at: 22, firstByteMs: 10, ms: 30 },
    { layer: 1, purpose: 'demand', bytes: 3_000_000, at: 71, firstByteMs: 20, ms: 60 },
    { layer: 0, purpose: 'order', bytes: 2_000_000, at: 152, firstByteMs: 20, ms: 38 },
    { layer: 0, purpose: 'background', bytes: 9_000_000, at: 205, firstByteMs: 20, ms: 900 },
  ],
  unread: [{ file: 3, bytes: 300_000, purpose: 'order' }],
  unreadFiles: 1,
  unreadBytes: 300_000,
  missed: 0,
};
