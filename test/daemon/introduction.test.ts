// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { parseIntroduction } from '../../src/main/daemon/introduction.js';

const tell = (...parts: string[]): string => parts.map((part) => `${part}\0`).join('');

test('a mount tells where it is and what its environment says, with absolute paths', (t) => {
  const text = tell(
    '/mnt/../merged',
    '/work',
    'HOME=/home/me',
    'REGISTRY_AUTH_FILE=../auth.json',
    'CRFS_POLICY=',
    'no_proxy=a=b,\nc',
    'XDG_CONFIG_HOME=relative',
    'CRFS_MOUNT_DRIVER=overlay',
    'CRFS_MOUNT_NAMESPACE=mnt:[1]',
    'CRFS_MOUNT_CONFIGURATION=docker://host/name:tag',
    'CRFS_LAZY=require',
  );
  t.deepEqual(parseIntroduction(text), {
    mountpoint: '/merged',
    driver: 'overlay',
    mountNamespace: 'mnt:[1]',
    configuration: 'docker://host/name:tag',
    lazy: 'require',
    env: {
      HOME: '/home/me',
      REGISTRY_AUTH_FILE: '/auth.json',
      CRFS_POLICY: '',
      no_proxy: 'a=b,\nc',
      XDG_CONFIG_HOME: 'relative',
    },
  });
});

test('what is no variable of a mount is left out', (t) => {
  const unsaid = { driver: undefined, mountNamespace: undefined, configuration: undefined, lazy: undefined };
  const nonsense = tell('/m', '/', 'LD_PRELOAD=/x', 'HOME', '=', '', '__proto__=x', 'HOME =/x', 'PATH=/bin');
  t.deepEqual(parseIntroduction(nonsense), { mountpoint: '/m', ...unsaid, env: { PATH: '/bin' } });
  t.deepEqual(parseIntroduction(''), { mountpoint: '?', ...unsaid, env: {} });
  t.deepEqual(parseIntroduction('elsewhere'), { mountpoint: '?', ...unsaid, env: {} });
});
