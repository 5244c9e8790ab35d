// SPDX-License-Identifier: GPL-3.0-or-later

/** Debian's nginx on 127.0.0.1, with the configuration that docs/fleets.md shows. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endServer, listen } from './local-server.js';
import { recipe } from './recipes.js';
import { has } from './registry.js';

/** Why there can be no nginx, or undefined: a reason to skip tests. */
export const noNginx = has('nginx', '-v') ? undefined : 'no nginx';

export interface Nginx {
  /** `127.0.0.1:port`. */
  readonly host: string;
  /** Ends the process at once, whatever it is about to answer, and removes its files. */
  stop(): Promise<void>;
}

/** A host and port that nobody listens on right now. */
async function freeHost(): Promise<string> {
  const server = createServer();
  const host = await listen(server);
  await endServer(server);
  return host;
}

/** Resolves once nginx listens; to false if another program has one of its ports. */
async function listens(child: ChildProcess): Promise<boolean> {
  let said = '';
  return await new Promise((resolve, reject) => {
    child.stderr?.on('data', (data: Buffer) => {
      said += data.toString();
      if (said.includes('start worker process ')) resolve(true);
    });
    child.once('error', reject);
    child.once('exit', (status) => {
      if (said.includes('Address already in use')) resolve(false);
      else reject(new Error(`nginx ended with ${status}: ${said}`));
    });
  });
}

/** What Debian's nginx.conf has around a site, for one in `directory`. */
function around(site: string, directory: string): string {
  const bodies = ['client_body', 'fastcgi', 'proxy', 'scgi', 'uwsgi'];
  const places = bodies.map((name) => `${name}_temp_path ${join(directory, name)};`);
  return `user root; daemon off; pid ${join(directory, 'pid')}; error_log stderr notice; events {}
http { access_log off; ${places.join(' ')}
${site}}\n`;
}

/** Starts nginx in front of a registry, which is at a `http:` URL. */
export async function startNginx(registry: string): Promise<Nginx> {
  const directory = mkdtempSync(join(tmpdir(), 'crfs-nginx-'));
  const configuration = join(directory, 'nginx.conf');
  for (;;) {
    const [host, behind] = [await freeHost(), await freeHost()];
    const site = recipe('nginx', {
      'https://registry.example.com': registry,
      'listen 5000;': `listen ${host};`,
      '200 404 10s;': '200 404 1d;', // tests count on these, on however slow a machine
      ' 60s;': ' 1d;',
      '127.0.0.1:5001': behind,
      '/var/cache/nginx/blobs': join(directory, 'blobs'),
    });
    writeFileSync(configuration, around(site, directory));
    const child = spawn('nginx', ['-p', directory, '-c', configuration, '-e', 'stderr'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const gone = new Promise((resolve) => {
      child.once('exit', resolve);
    });
    if (!(await listens(child))) continue;
    return {
      host,
      stop: async () => {
        if (child.exitCode === null && child.signalCode === null && child.kill('SIGTERM')) await gone;
        rmSync(directory, { recursive: true, force: true });
      },
    };
  }
}
