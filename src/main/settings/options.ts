// SPDX-License-Identifier: GPL-3.0-or-later

import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { isAbsolute } from 'node:path';
import { engineNames } from '../../workers/engine-names.js';
import { CrfsError } from '../errors/error.js';
import { lazyNames } from '../plain/lazy-names.js';
import { USUAL_SPAN } from '../plain/span.js';
import { BYTE_UNITS, quantity } from './quantity.js';

/** One setting: from here come its validation, its flag, its line in --help and in docs/settings.md. */
export interface Option<T> {
  /** What it is for, as a line of --help. */
  readonly description: string;
  /** The word for its value in --help. */
  readonly value: string;
  readonly fallback: T;
  /** What `fallback` is, where that depends on the machine. */
  readonly fallbackText?: string;
  /** Throws a string that says what would be right. */
  readonly parse: (given: unknown) => T;
}

const LEAST_SPAN = 64 << 10; // a point takes some 1,500 bytes
const MOST_SPAN = 1 << 30;
const SOCKET_PATH_LIMIT = 107; // bytes of sun_path, but for its NUL

function integer(low: number, high: number) {
  return (given: unknown): number => {
    const value = quantity(given);
    if (value === undefined || value < low || value > high) throw `a whole number from ${low} to ${high}`;
    return value;
  };
}

function bytes(given: unknown): number {
  const value = quantity(given, BYTE_UNITS);
  if (value === undefined || value > Number.MAX_SAFE_INTEGER) throw 'bytes, as 4194304 or 4M';
  return value;
}

function span(given: unknown): number {
  const value = quantity(given, BYTE_UNITS);
  if (value === undefined || value < LEAST_SPAN || value > MOST_SPAN) throw 'bytes from 64K to 1G, as 512K';
  return value;
}

function seconds(given: unknown): number {
  const value = quantity(given, { '': 1, s: 1, m: 60, h: 3600, d: 86_400 });
  if (value === undefined || value > 1e9) throw 'a time: seconds, as 90 or 90s, or 10m, 2h, 1d';
  return value;
}

function choice<T extends string>(choices: readonly T[]) {
  return (given: unknown): T => {
    const found = choices.find((known) => known === given);
    if (found === undefined) throw `one of ${choices.join(', ')}`;
    return found;
  };
}

/** Where metrics are served, as `net.Server.listen` takes it. */
export type MetricsAddress = { readonly path: string } | { readonly host: string; readonly port: number };

/** Nothing but a unix socket or a loopback address: what the daemon serves is for this machine. */
function metricsAddress(given: unknown): MetricsAddress | undefined {
  const text = typeof given === 'string' ? given : '';
  const [, host = '', digits = ''] = /^(127\.\d+\.\d+\.\d+|\[::1\]):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (text === 'off') return undefined;
  if (isIP(host.replace(/[[\]]/g, '')) !== 0 && port > 0 && port < 65_536) {
    return { host: host.replace(/[[\]]/g, ''), port };
  }
  if (isAbsolute(text) && Buffer.byteLength(text) <= SOCKET_PATH_LIMIT) return { path: text };
  throw 'off, 127.0.0.1:PORT, [::1]:PORT or the absolute path of a unix socket';
}

export const options = {
  workers: {
    description: 'threads that inflate layers at most; there are as many as have something to do',
    value: 'N',
    fallback: Math.min(availableParallelism(), 8),
    fallbackText: 'one per CPU, at most 8',
    parse: integer(1, 256),
  },
  engine: {
    description: `what inflates: ${engineNames.join(', ')}`,
    value: 'NAME',
    fallback: 'libdeflate',
    parse: choice(engineNames),
  },
  readahead: {
    description: 'bytes of a layer that are filled around a file that had to be waited for; 0: none',
    value: 'BYTES',
    fallback: 512 << 10,
    fallbackText: '512K',
    parse: bytes,
  },
  background: {
    description: 'whether the rest of a remote layer is downloaded behind its readers: on, off',
    value: 'WHEN',
    fallback: 'on',
    parse: choice(['on', 'off']),
  },
  'background-rate': {
    description: 'bytes a second that background downloads may take; 0: no limit',
    value: 'BYTES',
    fallback: 0,
    parse: bytes,
  },
  profiles: {
    description:
      'what is done with profiles of how images start: on; record: none is fetched by; off: none is recorded, either',
    value: 'WHICH',
    fallback: 'on',
    parse: choice(['on', 'record', 'off']),
  },
  indexes: {
    description: 'whether indexes are taken that are attached to images of a name, of layers without a TOC: on, off',
    value: 'WHETHER',
    fallback: 'on',
    parse: choice(['on', 'off']),
  },
  'max-size': {
    description: 'bytes that the cache may take; 0: a tenth of its file system',
    value: 'BYTES',
    fallback: 0,
    parse: bytes,
  },
  'index-memory': {
    description:
      "bytes of memory that making a layer's index may take, some 350 an entry; 0: a quarter of the machine's, 1G at most",
    value: 'BYTES',
    fallback: 0,
    parse: bytes,
  },
  'index-span': {
    description:
      'bytes that a layer in gzip inflates to between two points at which reading can begin, if it has no TOC',
    value: 'BYTES',
    fallback: USUAL_SPAN,
    fallbackText: '512K',
    parse: span,
  },
  lazy: {
    description: 'what becomes of a layer without a TOC: index: all of it is read, once; require: it is refused',
    value: 'HOW',
    fallback: 'index',
    parse: choice(lazyNames),
  },
  'idle-timeout': {
    description: 'time without a mount after which the daemon ends',
    value: 'TIME',
    fallback: 600,
    fallbackText: '10m',
    parse: seconds,
  },
  metrics: {
    description: 'where to serve metrics for Prometheus: off, 127.0.0.1:PORT, [::1]:PORT or the path of a unix socket',
    value: 'ADDRESS',
    fallback: undefined,
    fallbackText: 'off',
    parse: metricsAddress,
  },
  'log-level': {
    description: 'least level of what is logged: debug, info, warn, error',
    value: 'LEVEL',
    fallback: 'info',
    parse: choice(['debug', 'info', 'warn', 'error']),
  },
} satisfies Record<string, Option<unknown>>;

export type OptionName = keyof typeof options;

export type Settings = { readonly [Name in OptionName]: ReturnType<(typeof options)[Name]['parse']> };

export const optionNames = Object.keys(options) as OptionName[];

/** The environment variable of a setting. */
export function variableOf(name: OptionName): string {
  return `CRFS_${name.toUpperCase().replaceAll('-', '_')}`;
}

/** The value that `given` stands for. Throws CRFS_USAGE; `where` says where it was given. */
export function parseOption<Name extends OptionName>(name: Name, given: unknown, where: string): Settings[Name] {
  try {
    return options[name].parse(given) as Settings[Name];
  } catch (wanted) {
    throw new CrfsError('CRFS_USAGE', `${where}: ${name} is ${JSON.stringify(given)}; it must be ${String(wanted)}`);
  }
}
