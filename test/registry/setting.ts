// SPDX-License-Identifier: GPL-3.0-or-later

/** What tests of the registry client share. */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import anyTest, { type ExecutionContext } from 'ava';
import type { Environment } from '../../src/main/environment/environment.js';
import { CrfsError, type ErrorCode } from '../../src/main/errors/error.js';
import type { RetryPolicy } from '../../src/main/http/retry.js';
import { writeBlob } from '../../src/main/images/write-blob.js';
import { type ClientOptions, RegistryClient } from '../../src/main/registry/client.js';
import type { Reference } from '../../src/main/registry/types.js';
import type { ImageWriter } from '../../src/main/registry/writer.js';
import { missing, PASSWORD, USER } from '../tools/registry.js';

/** A test that needs a registry; skipped where there is none. */
export const registryTest = missing.length === 0 ? anyTest : anyTest.skip;
if (missing.length > 0)
  process.stderr.write(`tests with a registry are skipped: ${missing.join(' and ')} not installed\n`);

export const hasty: RetryPolicy = { attempts: 4, first: 5, longest: 20, total: 1_800_000 };

export interface Home {
  readonly path: string;
  readonly env: Record<string, string>;
  readonly environment: Environment & { readonly env: Record<string, string> };
  write(name: string, content: string): Promise<string>;
}

/** An empty home directory and /etc, removed after the test. */
export async function makeHome(t: ExecutionContext): Promise<Home> {
  const path = await mkdtemp(join(tmpdir(), 'crfs-home-'));
  t.teardown(async () => {
    await rm(path, { recursive: true });
  });
  const env = {
    HOME: path,
    XDG_RUNTIME_DIR: join(path, 'run'),
    PATH: `${join(path, 'bin')}:${process.env['PATH'] ?? ''}`,
  };
  return {
    path,
    env,
    environment: { env, etc: join(path, 'etc'), cache: join(path, 'var-cache') },
    async write(name, content) {
      const file = join(path, name);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, content, { mode: 0o700 });
      return file;
    },
  };
}

export function makeClient(t: ExecutionContext, home: Home, options: Partial<ClientOptions> = {}): RegistryClient {
  const client = new RegistryClient({
    environment: home.environment,
    policy: hasty,
    stall: 240_000,
    spool: home.path,
    ...options,
  });
  t.teardown(async () => {
    await client.close();
  });
  return client;
}

/** What auth.json keeps for who may log in. */
export const LOGIN = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');

/** Does what `podman login` does. */
export async function logIn(home: Home, key: string, entry: Record<string, string> = { auth: LOGIN }): Promise<void> {
  await home.write('run/containers/auth.json', JSON.stringify({ auths: { [key]: entry } }));
}

export async function rejects(
  t: ExecutionContext,
  code: ErrorCode,
  action: () => Promise<unknown>,
): Promise<CrfsError> {
  const error = await t.throwsAsync(action, { instanceOf: CrfsError });
  t.is(error?.code, code, error?.message);
  return error;
}

/** The first of a list that must have one. */
export function first<T>(list: readonly T[]): T {
  const [value] = list;
  if (value === undefined) throw new Error('an empty list');
  return value;
}

export function ref(registry: string, repository: string, rest: Partial<Reference> = { tag: 'latest' }): Reference {
  return { registry, repository, ...rest };
}

/** Writes a blob as a conversion does. */
export async function send(
  writer: ImageWriter,
  digest: string,
  content: () => AsyncIterable<Uint8Array>,
): Promise<void> {
  await writeBlob(
    () => writer.beginBlob(),
    async (sink) => {
      for await (const bytes of content()) await sink.write(bytes);
      return { digest };
    },
  );
}
