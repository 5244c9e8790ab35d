// SPDX-License-Identifier: GPL-3.0-or-later

/** Whatever reads an image does so only if the policy accepts it. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Machine } from '../tools/machine.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';
import { imageOf, invoke, layerOf, makeMachine, type Outcome, SMALL, registryTest as test } from './setting.js';

const ACCEPT = [{ type: 'insecureAcceptAnything' }];
const REJECT = [{ type: 'reject' }];

interface World {
  readonly machine: Machine;
  /** `HOST/img:1` */
  readonly name: string;
  readonly host: string;
  readonly crfs: (...args: string[]) => Promise<Outcome>;
  /** Writes a policy into a file of the machine's root. */
  readonly write: (file: string, policy: unknown) => string;
}

async function world(t: ExecutionContext): Promise<World> {
  const machine = makeMachine(t);
  const tar = join(machine.directory('tars'), 'small.tar');
  writeTar(tar, SMALL);
  const { name } = await imageOf(t, [tar]);
  return {
    machine,
    name,
    host: name.replace('/img:1', ''),
    crfs: (...args) => invoke(machine, args),
    write(file, policy) {
      const path = join(machine.root, file);
      mkdirSync(join(path, '..'), { recursive: true });
      writeFileSync(path, typeof policy === 'string' ? policy : JSON.stringify(policy));
      return path;
    },
  };
}

const refusal = (line: string): Outcome => ({ code: 1, stdout: '', stderr: `crfs: ${line}\n` });

test('ls, stat, cat, verify, lowerdir, stargzify and mount refuse what the policy of the user rejects', async (t) => {
  const { machine, name, host, crfs, write } = await world(t);
  const path = write('home/.config/containers/policy.json', {
    default: ACCEPT,
    transports: { docker: { [`${host}/img`]: REJECT } },
  });
  const line = refusal(`docker://${name}: ${path} rejects it, by the scope "${host}/img" of docker`);
  t.deepEqual(await crfs('ls', name), line);
  t.deepEqual(await crfs('stat', name, '/bin'), line);
  t.deepEqual(await crfs('cat', name, '/bin/tool'), line);
  t.deepEqual(await crfs('verify', name), line);
  t.deepEqual(await crfs('lowerdir', '--platform', 'linux/amd64', name, '/'), line);
  t.deepEqual(await crfs('stargzify', '-q', name, 'oci:copy'), line);
  if (process.geteuid?.() === 0) t.deepEqual(await crfs('mount', name, machine.directory('merged')), line);
  t.is((await crfs('ls', '--insecure-policy', name)).code, 0);
  const other = write('other.json', { default: ACCEPT });
  t.is((await crfs('ls', '--policy', 'other.json', name)).code, 0);
  t.is((await invoke(machine, ['ls', name], { CRFS_POLICY: other })).code, 0);
});

test('images on disk are known by their paths, and single layers by nothing', async (t) => {
  const { machine, name, crfs, write } = await world(t);
  await run('skopeo', ['--insecure-policy', 'copy', '-q', '--src-tls-verify=false', `docker://${name}`, 'oci:layout'], {
    cwd: machine.root,
  });
  const layout = join(machine.root, 'layout');
  const rejecting = write('policy.json', { default: ACCEPT, transports: { oci: { [machine.root]: REJECT } } });
  const line = `oci:layout: ${rejecting} rejects it, by the scope "${machine.root}" of oci`;
  t.deepEqual(await crfs('ls', '--policy', rejecting, 'oci:layout'), refusal(line));
  t.deepEqual(await crfs('stargzify', '-q', '--policy', rejecting, 'oci:layout', 'oci:copy'), refusal(line));
  const nothing = write('nothing.json', { default: REJECT, transports: { oci: { [layout]: ACCEPT } } });
  t.is((await crfs('ls', '--policy', nothing, 'oci:layout')).code, 0);
  t.is((await crfs('ls', '--policy', nothing, await layerOf(machine, SMALL))).code, 0);
});

test('a policy that wants signatures refuses the image, as they are not verified', async (t) => {
  const { name, crfs, write } = await world(t);
  for (const signed of [
    { type: 'signedBy', keyType: 'GPGKeys', keyPath: '/keys' },
    { type: 'sigstoreSigned', keyPath: '/key.pub' },
  ]) {
    const path = write('policy.json', { default: [...ACCEPT, signed] });
    const line = `docker://${name}: ${path} wants it signed (${signed.type}, by its default), and crfs cannot verify signatures`;
    t.deepEqual(await crfs('ls', '--policy', path, name), refusal(line));
  }
});

test('a policy file that makes no sense, or is not there, is told in one line', async (t) => {
  const { machine, name, crfs, write } = await world(t);
  const path = write('home/.config/containers/policy.json', { default: ACCEPT, defaults: ACCEPT });
  const line = `crfs: ${path} is no policy for images: defaults must be one of default, transports, not "defaults"\n`;
  t.deepEqual(await crfs('ls', `docker://${name}`), { code: 2, stdout: '', stderr: line });
  const missing = await crfs('ls', '--policy', 'nowhere', name);
  t.deepEqual(missing, refusal('--policy: there is no nowhere'));
  const named = await invoke(machine, ['ls', `docker://${name}`], { CRFS_POLICY: '/nowhere' });
  t.deepEqual(named, refusal('there is no policy file /nowhere'));
  await run('mkfifo', [join(machine.root, 'fifo')]);
  const fifo = await crfs('ls', '--policy', 'fifo', `docker://${name}`);
  t.is(fifo.code, 2);
  t.regex(fifo.stderr, /^crfs: \S+\/fifo is no policy for images: .+\n$/);
});
