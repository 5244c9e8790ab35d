// SPDX-License-Identifier: GPL-3.0-or-later

/** Programs that keep credentials: `docker-credential-NAME get`, a host on stdin, JSON on stdout. */

import { spawn } from 'node:child_process';
import * as v from 'valibot';
import type { Environment, Variables } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import { checkJson } from '../schema/check.js';
import { table } from '../schema/schemas.js';
import type { Credentials } from './credentials.js';

const TIMEOUT_MS = 30_000;
const OUTPUT_LIMIT = 1 << 20;
/** What the protocol prints, with exit status 1, where the keeper has nothing. */
const NOTHING = 'credentials not found in native keychain';

const answerSchema = table({ Username: v.string('a string'), Secret: v.string('a string') });

interface Outcome {
  /** The exit status, or the signal that ended it; undefined if it was given up. */
  readonly end: number | NodeJS.Signals | undefined;
  readonly output: Buffer;
}

async function run(program: string, input: string, env: Variables): Promise<Outcome> {
  return await new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], { env: { ...env }, stdio: ['pipe', 'pipe', 'ignore'] });
    let givenUp = false;
    const giveUp = (): void => {
      givenUp = true;
      child.kill('SIGKILL');
      child.stdout.destroy(); // a descendant may hold it open
    };
    const timer = setTimeout(giveUp, TIMEOUT_MS);
    const parts: Buffer[] = [];
    let size = 0;
    child.stdout.on('data', (part: Buffer) => {
      size += part.length;
      parts.push(part);
      if (size > OUTPUT_LIMIT) giveUp();
    });
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('close', (status, signal) => {
      clearTimeout(timer);
      resolve({ end: givenUp ? undefined : (status ?? signal ?? undefined), output: Buffer.concat(parts) });
    });
    child.stdin.on('error', () => child.stdout.resume()); // a helper need not read its input
    child.stdin.end(`${input}\n`);
  });
}

/** Helpers, each run once for a server and then remembered: some take seconds. */
export class CredentialHelpers {
  readonly #environment: Environment;
  /** By server, and then by helper. */
  readonly #answers = new Map<string, Map<string, Promise<Credentials | undefined>>>();

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** The credentials that helper `name` has for `server`, or undefined. Rejects with CRFS_DENIED if it fails. */
  async ask(name: string, server: string): Promise<Credentials | undefined> {
    const answers = this.#answers.get(server) ?? new Map<string, Promise<Credentials | undefined>>();
    const answer = answers.get(name) ?? askHelper(name, server, this.#environment);
    this.#answers.set(server, answers.set(name, answer));
    return await answer;
  }

  /** What they have for `server` was refused: they are run anew when they are asked again. */
  forget(server: string): void {
    this.#answers.delete(server);
  }
}

/** The credentials that helper `name` has for `server`, or undefined. Rejects with CRFS_DENIED if the helper fails. */
async function askHelper(name: string, server: string, { env }: Environment): Promise<Credentials | undefined> {
  const program = `docker-credential-${name}`;
  if (!/^[\w.-]+$/.test(name))
    throw new CrfsError('CRFS_USAGE', `${JSON.stringify(name)} cannot be the name of a credential helper`);
  const fail = (why: string, cause?: unknown): CrfsError =>
    new CrfsError('CRFS_DENIED', `no credentials for ${server}: ${program} ${why}`, { cause });
  let outcome: Outcome;
  try {
    outcome = await run(program, server, env);
  } catch (error) {
    throw fail(
      error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'is not installed' : 'cannot be run',
      error,
    );
  }
  const { end, output } = outcome;
  if (end === undefined) throw fail(`gave no answer of reasonable size within ${TIMEOUT_MS / 1000} s`);
  if (typeof end === 'string') throw fail(`was ended by ${end}`);
  if (end !== 0) {
    if (output.toString().trim() === NOTHING) return undefined;
    throw fail(`ended with status ${end}`);
  }
  const where = `no credentials for ${server}: the answer of ${program}`;
  const answer = checkJson(answerSchema, output, { where, code: 'CRFS_DENIED', isSecret: true });
  const { Username: username, Secret: secret } = answer;
  if (username === '' && secret === '') return undefined; // so say those that have nothing
  return username === '<token>' ? { kind: 'identity', token: secret } : { kind: 'basic', username, password: secret };
}
