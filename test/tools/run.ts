// SPDX-License-Identifier: GPL-3.0-or-later

import { spawn } from 'node:child_process';

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly stdin?: string | Uint8Array;
}

/**
 * Runs a program to its end and resolves to what it wrote to stdout; rejects with what it wrote to stderr if it fails, or
 * else to stdout.
 */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Buffer> {
  const child = spawn(program, args, { cwd: options.cwd, env: options.env, stdio: ['pipe', 'pipe', 'pipe'] });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin.on('error', () => {
    // It ended without reading its input: its exit code says whether that is a failure.
  });
  child.stdin.end(options.stdin);
  const code = await new Promise<number | string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => resolve(status ?? signal ?? 'no status'));
  });
  if (code !== 0) {
    const said = Buffer.concat(err.length > 0 ? err : out);
    throw new Error(`${program} ended with ${code}: ${said.toString().trim()}`);
  }
  return Buffer.concat(out);
}
