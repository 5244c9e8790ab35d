// SPDX-License-Identifier: GPL-3.0-or-later

import { isIP } from 'node:net';

/** Whether a host, without its port, is this machine. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || (isIP(host) === 4 && host.startsWith('127.')) || host === '[::1]';
}
