// SPDX-License-Identifier: GPL-3.0-or-later

/** The policy for images, where a mount is made by hand, past `crfs mount`. */

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { pushTars } from '../tools/image.js';
import { anyDriver, Machine, whyNoMounts } from '../tools/machine.js';
import { missing, startRegistry } from '../tools/registry.js';
import { writeTar } from '../tools/tar-writer.js';

const remote = anyDriver(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

const REJECT = { default: [{ type: 'reject' }] };

/** An image of one file, and a way to write the user's policy. */
async function world(t: ExecutionContext) {
  const machine = new Machine({ CRFS_BACKGROUND: 'off' });
  t.teardown(() => machine.dispose());
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const tar = join(machine.directory('tars'), 'one.tar');
  writeTar(tar, [{ name: 'file', mtime: 1_500_000_000, content: 'content\n' }]);
  await pushTars([tar], `${registry.host}/img:1`);
  const path = join(machine.root, 'home/.config/containers/policy.json');
  mkdirSync(join(path, '..'), { recursive: true });
  return {
    machine,
    path,
    host: registry.host,
    image: `docker://${registry.host}/img:1`,
    write: (policy: unknown): void => writeFileSync(path, JSON.stringify(policy)),
  };
}

remote('a mount is refused in one line where the policy of the user rejects the image', async (t) => {
  const { machine, path, image, write } = await world(t);
  write(REJECT);
  const error = await t.throwsAsync(machine.mount([image]));
  t.deepEqual(error?.message.match(/\bcrfs: .*$/gm), [`crfs: ${image}: ${path} rejects it, by its default`]);
  write({ ...REJECT, more: 1 });
  const malformed = await t.throwsAsync(machine.mount([image]));
  t.deepEqual(malformed?.message.match(/\bcrfs: .*$/gm), [
    `crfs: ${image}: ${path} is no policy for images: more must be one of default, transports, not "more"`,
  ]);
});

remote('each mount goes by the policy of its own environment', async (t) => {
  const { machine, image } = await world(t);
  const other = join(machine.root, 'other.json');
  writeFileSync(other, JSON.stringify(REJECT));
  await machine.mount([image]);
  await t.throwsAsync(machine.mount([image], { through: ['env', `CRFS_POLICY=${other}`] }), {
    message: /other\.json rejects it/,
  });
  const insecure = ['env', `CRFS_POLICY=${other}`, 'CRFS_INSECURE_POLICY=true'];
  t.deepEqual(readdirSync((await machine.mount([image], { through: insecure })).merged), ['file']);
  const nonsense = machine.mount([image], { through: ['env', 'CRFS_INSECURE_POLICY=perhaps'] });
  await t.throwsAsync(nonsense, {
    message: /crfs: docker:\S+: CRFS_INSECURE_POLICY is "perhaps"; it must be true or false/,
  });
});

remote(
  'a mount that was accepted by its tag lives on with the next daemon, whatever the policy has become',
  async (t) => {
    const { machine, host, image, write } = await world(t);
    write({ ...REJECT, transports: { docker: { [`${host}/img:1`]: [{ type: 'insecureAcceptAnything' }] } } });
    const { merged } = await machine.mount([image]);
    write(REJECT);
    process.kill((await machine.status())?.pid ?? Number.NaN, 'SIGKILL');
    t.is(String(await readFile(join(merged, 'file'))), 'content\n');
    await t.throwsAsync(machine.mount([image]), { message: /rejects it, by its default/ });
  },
);
