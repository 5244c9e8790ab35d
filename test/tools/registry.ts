// SPDX-License-Identifier: GPL-3.0-or-later

/** Debian's docker-registry on 127.0.0.1: plain, with basic authentication, with tokens, over TLS. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Who may log in where there is authentication. */
export const USER = 'alice';
export const PASSWORD = 'wonder:land';
/** bcrypt of the password: the only kind that docker-registry takes. */
const HTPASSWD = `${USER}:$2y$05$abcdefghijklmnopqrstuu12xgx35XzVimpLAARVsY.qvjwFuB00y\n`;

export interface RegistryOptions {
  readonly auth?:
    | 'basic'
    | { readonly realm: string; readonly service: string; readonly issuer: string; readonly certificate: string };
  readonly tls?: { readonly certificate: string; readonly key: string; readonly clientCa?: string };
  /** Where blobs lie, to share them with another registry; a temporary directory unless given. */
  readonly root?: string;
  /** Its configuration, in YAML, for one that keeps its blobs at `root`, instead of what other options make of it. */
  readonly configuration?: (root: string) => string;
}

export interface Registry {
  /** `127.0.0.1:port`. */
  readonly host: string;
  readonly url: string;
  readonly root: string;
  readonly port: number;
  /** Ends the process, and removes its temporary files. */
  stop(): Promise<void>;
}

/** Whether a program, which can tell its version, is installed. */
export function has(program: string, option = '--version'): boolean {
  try {
    execFileSync(program, [option], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** The programs that tests with a registry need and this machine lacks: a reason to skip them. */
export const missing: readonly string[] = ['docker-registry', 'skopeo'].filter((program) => !has(program));

function config(options: RegistryOptions, root: string, htpasswd: string): string {
  const { auth, tls } = options;
  const http: Record<string, unknown> = { addr: '127.0.0.1:0' };
  if (tls)
    http['tls'] = { certificate: tls.certificate, key: tls.key, ...(tls.clientCa && { clientcas: [tls.clientCa] }) };
  const top: Record<string, unknown> = {
    version: '0.1',
    log: { level: 'info' },
    storage: { filesystem: { rootdirectory: root }, delete: { enabled: true } },
    http,
  };
  if (auth === 'basic') top['auth'] = { htpasswd: { realm: 'test', path: htpasswd } };
  else if (auth) {
    const { certificate, ...token } = auth;
    top['auth'] = { token: { ...token, rootcertbundle: certificate } };
  }
  return JSON.stringify(top); // which is YAML
}

/** Resolves to the port once the registry listens. */
async function portOf(child: ChildProcess): Promise<number> {
  const lines: string[] = [];
  const { stderr } = child;
  if (stderr === null) throw new Error('no stderr');
  return await new Promise((resolve, reject) => {
    createInterface(stderr).on('line', (line) => {
      lines.push(line);
      const port = /listening on [^"]*:(\d+)/.exec(line)?.[1];
      if (port !== undefined) resolve(Number(port));
    });
    child.once('exit', (status) => {
      reject(new Error(`docker-registry ended with ${status}:\n${lines.slice(-5).join('\n')}`));
    });
  });
}

export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  const home = await mkdtemp(join(tmpdir(), 'crfs-registry-'));
  const root = options.root ?? join(home, 'root');
  const htpasswd = join(home, 'htpasswd');
  await writeFile(htpasswd, HTPASSWD);
  await writeFile(join(home, 'config.yml'), options.configuration?.(root) ?? config(options, root, htpasswd));
  const child = spawn('docker-registry', ['serve', join(home, 'config.yml')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'], OTEL_TRACES_EXPORTER: 'none' },
  });
  const port = await portOf(child);
  const host = `127.0.0.1:${port}`;
  return {
    host,
    url: `${options.tls ? 'https' : 'http'}://${host}`,
    root,
    port,
    async stop() {
      const gone = new Promise((resolve) => {
        child.once('exit', resolve);
      });
      if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await gone;
      await rm(home, { recursive: true, force: true });
    },
  };
}
