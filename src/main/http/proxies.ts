// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Which proxy a request goes through: HTTP_PROXY, HTTPS_PROXY and NO_PROXY, with the meaning that they have for programs
 * written in Go, podman and skopeo among them. ALL_PROXY has none there.
 */

import { BlockList, isIP } from 'node:net';
import type { Variables } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';

const SCHEMES = ['http:', 'https:', 'socks5:'];

/** The URL of the proxy for a request to `url`, undefined for none. Throws CRFS_USAGE if what is set is no proxy. */
export function proxyFor(url: URL, env: Variables): string | undefined {
  const name = url.protocol === 'https:' ? 'https_proxy' : 'http_proxy';
  const given = valueOf(name, env);
  if (given === '' || goesDirectly(url, valueOf('no_proxy', env))) return undefined;
  const full = given.includes('://') ? given : `http://${given}`;
  if (URL.canParse(full) && SCHEMES.includes(new URL(full).protocol)) return full;
  // The value is not shown: it may hold a password.
  const what = 'http://host:port, https://host:port or socks5://host:port';
  throw new CrfsError('CRFS_USAGE', `${name} in the environment names no proxy: write ${what}`);
}

function valueOf(name: string, env: Variables): string {
  return env[name] || env[name.toUpperCase()] || '';
}

/** Whether a host is this machine, or one that `list`, the value of NO_PROXY, takes out. */
function goesDirectly(url: URL, list: string): boolean {
  const host = bare(url.hostname.toLowerCase());
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  if (host === 'localhost' || inNetwork(host, '127.0.0.0/8') || inNetwork(host, '::1/128')) return true;
  return list.split(',').some((entry) => matches(entry.trim().toLowerCase(), host, port));
}

/** One part of NO_PROXY: `*`, a network (10.0.0.0/8), an address or a name; these two, with a port, for that port alone. */
function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return inNetwork(host, entry);
  const alone = isIP(entry) !== 0; // without brackets, the colons of an address of version 6 begin no port
  const [, name = entry, only = port] = (!alone && /^(.+):(\d+)$/.exec(entry)) || [];
  if (name === '' || Number(only) !== Number(port)) return false;
  const address = bare(name);
  if (isIP(address) !== 0) return inNetwork(host, `${address}/${isIP(address) === 4 ? 32 : 128}`);
  const below = name.startsWith('*.') ? name.slice(1) : name;
  return below.startsWith('.') ? host.endsWith(below) : host === below || host.endsWith(`.${below}`);
}

function inNetwork(host: string, network: string): boolean {
  const [address = '', bits = ''] = network.split('/');
  const [family, hostFamily] = [familyOf(address), familyOf(host)];
  const most = family === 'ipv4' ? 32 : 128;
  if (family === undefined || hostFamily === undefined || !/^\d{1,3}$/.test(bits) || Number(bits) > most) return false;
  const list = new BlockList();
  list.addSubnet(address, Number(bits), family);
  return list.check(host, hostFamily);
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address);
  if (version === 0) return undefined;
  return version === 4 ? 'ipv4' : 'ipv6';
}

/** A host without the brackets that stand around an address of version 6. */
function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}
