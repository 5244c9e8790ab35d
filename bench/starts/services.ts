// SPDX-License-Identifier: GPL-3.0-or-later

/** Programs that answer requests. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Undo } from '../undo.js';
import type { Work } from './remote.js';

const ASK_EVERY_MS = 2;
const PATIENCE_MS = 60_000;

interface Service {
  /** What its tree needs to be written into it, by path. */
  readonly files?: (port: number) => Readonly<Record<string, string>>;
  readonly command: (port: number) => readonly string[];
}

export const services = {
  nginx: {
    files: (port) => ({
      'etc/nginx/nginx.conf': `daemon off; user www-data; pid /run/nginx.pid; error_log /var/log/nginx/error.log;
include /etc/nginx/modules-enabled/*.conf;
events {}
http {
  include /etc/nginx/mime.types;
  access_log /var/log/nginx/access.log;
  server { listen 127.0.0.1:${port}; root /usr/share/nginx/html; }
}
`,
    }),
    command: () => ['/usr/sbin/nginx'],
  },
  'a Python web server': {
    command: (port) => [
      '/usr/bin/python3',
      '-c',
      `from flask import Flask
app = Flask("bench")
app.route("/")(lambda: "hello")
app.run("127.0.0.1", ${port})`,
    ],
  },
} as const satisfies Record<string, Service>;

export type ServiceName = keyof typeof services;
/** Debian's packages of them. */
export const SERVICE_PACKAGES = ['ca-certificates', 'nginx-light', 'python3', 'python3-flask'] as const;

/** Starts a service, and waits until it has answered a request. */
export function serving(name: ServiceName, undo: Undo): Work {
  const { files, command }: Service = services[name];
  return async (tree) => {
    const port = await freePort();
    for (const [path, text] of Object.entries(files?.(port) ?? {})) await writeFile(join(tree, path), text);
    const child = spawn('chroot', [tree, ...command(port)], { stdio: ['ignore', 'ignore', 'pipe'] });
    const said: Buffer[] = [];
    child.stderr.on('data', (bytes: Buffer) => said.push(bytes));
    const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
    const stop = undo.add(async () => {
      child.kill();
      if (!hasEnded()) await once(child, 'exit');
    });
    const patience = performance.now() + PATIENCE_MS;
    while (!(await answers(port))) {
      if (hasEnded() || performance.now() > patience) {
        await stop();
        throw new Error(`${name} does not answer: ${Buffer.concat(said).toString().trim()}`);
      }
      await sleep(ASK_EVERY_MS);
    }
    return stop;
  };
}

/** Whether an HTTP server there answers as it should. */
async function answers(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, agent: false, timeout: PATIENCE_MS }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode === 200));
    });
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(false));
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
