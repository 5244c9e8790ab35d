// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { CrfsError } from '../../src/main/errors/error.js';
import { proxyFor } from '../../src/main/http/proxies.js';

const PROXY = 'http://proxy.test:3128';

function isDirect(url: string, no_proxy: string): boolean {
  return proxyFor(new URL(url), { http_proxy: PROXY, https_proxy: PROXY, no_proxy }) === undefined;
}

test('http and https have a proxy each, in lower or upper case, and ALL_PROXY is none', (t) => {
  const [http, https] = [new URL('http://a.com/'), new URL('https://a.com/')];
  t.is(proxyFor(http, { http_proxy: PROXY }), PROXY);
  t.is(proxyFor(https, { HTTPS_PROXY: PROXY }), PROXY);
  t.is(proxyFor(https, { http_proxy: PROXY }), undefined);
  t.is(proxyFor(http, { ALL_PROXY: PROXY, all_proxy: PROXY }), undefined);
  t.is(proxyFor(http, { http_proxy: 'lower:1', HTTP_PROXY: 'upper:1' }), 'http://lower:1');
});

test('what is no proxy is an error that does not show it', (t) => {
  for (const given of ['ftp://me:secret@host:1', 'http://me:secret@:x']) {
    const error = t.throws(() => proxyFor(new URL('http://a.com'), { http_proxy: given }), { instanceOf: CrfsError });
    t.is(error?.code, 'CRFS_USAGE');
    t.false(error?.message.includes('secret'));
  }
});

test('this machine is always asked directly', (t) => {
  for (const host of ['localhost:5000', '127.0.0.1', '127.9.9.9:80', '[::1]:5000'])
    t.true(isDirect(`http://${host}/`, ''));
  for (const host of ['128.0.0.1', '[::2]', 'localhost.com']) t.false(isDirect(`http://${host}/`, ''));
});

for (const [list, direct, proxied] of [
  ['*', ['http://a.com', 'https://10.0.0.1'], []],
  ['a.com', ['http://a.com', 'https://b.a.com:8443', 'http://A.com'], ['http://ba.com', 'http://a.com.de']],
  ['.a.com,*.b.com', ['http://x.a.com', 'http://y.x.b.com'], ['http://a.com', 'http://b.com']],
  ['a.com:8080', ['http://a.com:8080', 'http://b.a.com:8080'], ['http://a.com', 'https://a.com']],
  ['a.com:443', ['https://a.com'], ['http://a.com', 'https://a.com:444']],
  [
    '10.0.0.0/8',
    ['http://10.1.2.3', 'https://10.255.0.1:5000'],
    ['http://11.0.0.1', 'http://ten.com', 'http://[fd00::a00:1]'],
  ],
  ['fd00::/8', ['http://[fd12::1]:80'], ['http://[fe80::1]', 'http://10.0.0.1']],
  [
    '192.168.0.1,192.168.0.2:5000',
    ['http://192.168.0.1:1', 'http://192.168.0.2:5000'],
    ['http://192.168.0.2', 'http://192.168.0.11'],
  ],
  ['fd00::1,[fd00::2]:5000', ['http://[fd00::1]', 'http://[fd00::2]:5000'], ['http://[fd00::2]', 'http://[fd00::3]']],
  [' a.com , b.com,', ['http://a.com', 'http://b.com'], ['http://c.com']],
  ['10.0.0.0/33,10.0.0.0/x,/,:80', [], ['http://10.0.0.0', 'http://a.com']],
] as const) {
  test(`NO_PROXY=${list} takes out what it names, and nothing else`, (t) => {
    for (const url of direct) t.true(isDirect(url, list), url);
    for (const url of proxied) t.false(isDirect(url, list), url);
  });
}
