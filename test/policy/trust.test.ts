// SPDX-License-Identifier: GPL-3.0-or-later

/** Whose policy counts, and what of it an image has to meet. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { registryImage } from '../../src/main/policy/subject.js';
import { Trust, type TrustOptions } from '../../src/main/policy/trust.js';

const ACCEPT = { type: 'insecureAcceptAnything' };
const REJECT = { type: 'reject' };
const SIGNED = { type: 'signedBy', keyType: 'GPGKeys', keyPath: '/k' };
const DIGEST = `sha256:${'1'.repeat(64)}`;
const image = registryImage({ registry: 'example.com', repository: 'a', tag: 'one' });

interface Place {
  readonly trust: (options?: TrustOptions) => Trust;
  /** Writes a policy, the system's unless it is named; returns its path. */
  readonly write: (policy: object, name?: string) => string;
}

const USER = 'home/.config/containers/policy.json';

function place(t: ExecutionContext): Place {
  const path = mkdtempSync(join(tmpdir(), 'crfs-trust-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  const surroundings = { env: { HOME: join(path, 'home') }, etc: join(path, 'etc'), cache: join(path, 'cache') };
  return {
    trust: (options = {}) => new Trust(options, surroundings),
    write(policy, name = 'etc/containers/policy.json') {
      const file = join(path, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, JSON.stringify(policy));
      return file;
    },
  };
}

test("without a policy all is accepted; a user's own wins over the system's, a named one over both", async (t) => {
  const { trust, write } = place(t);
  await t.notThrowsAsync(trust().require(image));
  write({ default: [REJECT] });
  await t.throwsAsync(trust().require(image), { code: 'CRFS_DENIED', message: /rejects it, by its default$/ });
  write({ default: [ACCEPT] }, USER);
  await t.notThrowsAsync(trust().require(image));
  const policy = write({ default: [REJECT] }, 'mine.json');
  await t.throwsAsync(trust({ policy }).require(image), { code: 'CRFS_DENIED' });
  await t.notThrowsAsync(trust({ policy, acceptAnything: true }).require(image));
  await t.throwsAsync(trust({ policy: `${policy}x` }).require(image), { code: 'CRFS_NOT_FOUND' });
});

test('an image has to meet every requirement, and a policy that has changed counts at once', async (t) => {
  const { trust, write } = place(t);
  const one = trust();
  for (const requirements of [[ACCEPT, SIGNED], [SIGNED, ACCEPT], [SIGNED]]) {
    write({ default: requirements });
    await t.throwsAsync(one.require(image), {
      code: 'CRFS_DENIED',
      message: /wants it signed \(signedBy, by its default\)/,
    });
  }
  for (const requirements of [
    [ACCEPT, REJECT],
    [REJECT, ACCEPT],
    [SIGNED, REJECT],
  ]) {
    write({ default: requirements });
    await t.throwsAsync(one.require(image), { code: 'CRFS_DENIED', message: /rejects it/ });
  }
  write({ default: [ACCEPT, ACCEPT] });
  await t.notThrowsAsync(one.require(image));
});

test('an image with tag and digest is the one of its digest', async (t) => {
  const { trust, write } = place(t);
  const both = registryImage({ registry: 'example.com', repository: 'a', tag: 'one', digest: DIGEST });
  write({ default: [REJECT], transports: { docker: { 'example.com/a:one': [ACCEPT] } } });
  await t.notThrowsAsync(trust().require(image));
  await t.throwsAsync(trust().require(both), { code: 'CRFS_DENIED' });
  write({ default: [REJECT], transports: { docker: { [`example.com/a@${DIGEST}`]: [ACCEPT] } } });
  await t.notThrowsAsync(trust().require(both));
});

test('a scope decides alone, whatever the defaults say', async (t) => {
  const { trust, write } = place(t);
  write({ default: [REJECT], transports: { docker: { '': [REJECT], 'example.com': [ACCEPT] } } });
  await t.notThrowsAsync(trust().require(image));
  write({ default: [ACCEPT], transports: { docker: { '': [REJECT] } } });
  await t.throwsAsync(trust().require(image), { message: /by the default of docker$/ });
});
