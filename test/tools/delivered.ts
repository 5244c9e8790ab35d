// SPDX-License-Identifier: GPL-3.0-or-later

import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 5;

/** Resolves when all that was written to a connection over IPv4 lies in the memory of its other end, or the connection is gone. */
export async function delivered(socket: Socket): Promise<void> {
  while (!socket.destroyed && (socket.writableLength > 0 || unacknowledged(socket) > 0)) await sleep(POLL_MS);
}

/** Bytes that the kernel still keeps to send them (again), from /proc/net/tcp (see proc(5)). */
function unacknowledged({ localPort = 0, remotePort = 0 }: Socket): number {
  const [local, remote] = [localPort, remotePort].map((port) => port.toString(16).toUpperCase().padStart(4, '0'));
  const queue = new RegExp(`^ *\\d+: \\w{8}:${local} \\w{8}:${remote} \\w\\w (\\w+):`, 'm');
  return Number.parseInt(queue.exec(readFileSync('/proc/net/tcp', 'latin1'))?.[1] ?? '0', 16);
}
