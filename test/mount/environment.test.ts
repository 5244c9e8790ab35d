// SPDX-License-Identifier: GPL-3.0-or-later

/** Mounts of one daemon, each with credentials and proxies of its own. */

import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { noise } from '../tools/content.js';
import { startForwardProxy } from '../tools/forward-proxy.js';
import { imageOf } from '../tools/image.js';
import { anyDriver, eachDriver, Machine, type Mount, whyNoMounts } from '../tools/machine.js';
import { missing, PASSWORD, startRegistry, USER } from '../tools/registry.js';
import { pushImage } from '../tools/registry-image.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';

const remote = eachDriver(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));
const shared = anyDriver(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

const SIZE = 3 << 20;

interface World {
  readonly machine: Machine;
  /** Of the image's manifest. */
  readonly digest: string;
  /** Mounts the image with these variables beside the machine's own. */
  readonly mount: (variables: Record<string, string>, suffix?: string, through?: string[]) => Promise<Mount>;
  /** An auth.json of its own. */
  readonly authFile: (name: string, password: string) => string;
}

/** A registry that wants a login, with an image of two files far enough apart that each is fetched by itself. */
async function world(t: ExecutionContext): Promise<World> {
  const machine = new Machine({ CRFS_BACKGROUND: 'off', CRFS_READAHEAD: '0' });
  t.teardown(() => machine.dispose());
  const registry = await startRegistry({ auth: 'basic' });
  t.teardown(() => registry.stop());
  const tar = join(machine.directory('tars'), 'noise.tar');
  writeTar(
    tar,
    [0, 1, 2, 3, 4, 5].map((n) => ({ name: `file-${n}`, mtime: 1_500_000_000, content: noise(SIZE, n + 1) })),
  );
  const image = await imageOf([tar]);
  await pushImage(image, `${registry.host}/closed:1`, { login: true });
  const access = [`--creds=${USER}:${PASSWORD}`, '--tls-verify=false'];
  const digest = await run('skopeo', [
    'inspect',
    '--format={{.Digest}}',
    ...access,
    `docker://${registry.host}/closed:1`,
  ]);
  return {
    machine,
    digest: String(digest).trim(),
    mount: (variables, suffix = ':1', through = ['env']) => {
      const command = [...through, ...Object.entries(variables).map(([name, value]) => `${name}=${value}`)];
      return machine.mount([`docker://${registry.host}/closed${suffix}`], { through: command });
    },
    authFile(name, password) {
      const path = join(machine.root, name);
      const auth = Buffer.from(`${USER}:${password}`).toString('base64');
      writeFileSync(path, JSON.stringify({ auths: { [registry.host]: { auth } } }));
      return path;
    },
  };
}

const REFUSED = /credentials are missing or refused/;

async function isRight(t: ExecutionContext, { merged }: Mount, file: number): Promise<void> {
  t.true(noise(SIZE, file + 1).equals(await readFile(join(merged, `file-${file}`))), `file-${file}`);
}

shared('each mount has the credentials of its own environment, whatever those of the first one were', async (t) => {
  const { machine, mount, authFile } = await world(t);
  const [good, bad] = [authFile('good.json', PASSWORD), authFile('bad.json', 'wrong')];
  const first = await mount({ REGISTRY_AUTH_FILE: good });
  const { pid } = (await machine.status()) ?? {};
  await t.throwsAsync(mount({}), { message: REFUSED });
  await t.throwsAsync(mount({ REGISTRY_AUTH_FILE: bad }), { message: REFUSED });
  const second = await mount({ REGISTRY_AUTH_FILE: good, PATH: `${process.env['PATH']}:/nowhere` });
  await isRight(t, first, 0);
  await isRight(t, second, 1);
  t.is((await machine.status())?.pid, pid, 'all of it was one daemon');
  t.false(machine.log.includes(PASSWORD));
});

shared(
  'a mount with credentials that are refused gets what is in the cache, and nothing by way of others',
  async (t) => {
    const { mount, digest, authFile } = await world(t);
    const first = await mount({ REGISTRY_AUTH_FILE: authFile('good.json', PASSWORD) });
    await isRight(t, first, 0);
    const second = await mount({ REGISTRY_AUTH_FILE: authFile('bad.json', 'wrong') }, `@${digest}`);
    await isRight(t, second, 0);
    await t.throwsAsync(readFile(join(second.merged, 'file-5')), { code: 'EIO' });
    await isRight(t, first, 5);
    await isRight(t, second, 5);
  },
);

remote('the next daemon has the environment of each mount again', async (t) => {
  const { machine, mount, authFile } = await world(t);
  const good = authFile('good.json', PASSWORD);
  // a path may be relative, and the host leaves the directory that it starts from
  const through = ['env', '-C', machine.root, 'REGISTRY_AUTH_FILE=good.json'];
  const first = await mount({}, ':1', through);
  const second = await mount({ REGISTRY_AUTH_FILE: good });
  const { pid = Number.NaN } = (await machine.status()) ?? {};
  process.kill(pid, 'SIGKILL');
  await isRight(t, first, 2);
  await isRight(t, second, 3);
  t.not((await machine.status())?.pid, pid);
});

shared('each mount goes through its own proxy', async (t) => {
  const { machine } = await world(t);
  const origin = await startRegistry();
  t.teardown(() => origin.stop());
  const tar = join(machine.root, 'tars/noise.tar');
  const image = await imageOf([tar]);
  await pushImage(image, `${origin.host}/open:1`);
  const url = `http://registry.invalid/v2/open/blobs/${image.layers[0]?.digest}`;
  const proxies = [await startForwardProxy(t, origin.url), await startForwardProxy(t, origin.url)];
  for (const [n, proxy] of proxies.entries()) {
    const mount = await machine.mount([url], { through: ['env', `http_proxy=${proxy.url}`] });
    const before = proxies.map(({ seen }) => seen.length);
    await isRight(t, mount, n + 1);
    const after = proxies.map(({ seen }) => seen.length);
    for (const other of proxies.keys()) {
      if (other === n) t.true((after[other] ?? 0) > (before[other] ?? 0), 'its own');
      else t.is(after[other], before[other], 'no other');
    }
  }
  await t.throwsAsync(machine.mount([url]), { message: /registry\.invalid/ });
});

shared('a mount whose environment is larger than a message is refused in one line', async (t) => {
  const { mount } = await world(t);
  const error = await t.throwsAsync(mount({ no_proxy: 'x'.repeat(40_000) }));
  t.regex(error?.message ?? '', /^.*\bcrfs: docker:\S+: the environment variables for registries .* 32768 bytes$/m);
});
