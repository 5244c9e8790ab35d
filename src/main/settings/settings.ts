// SPDX-License-Identifier: GPL-3.0-or-later

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TomlError } from 'smol-toml';
import { CrfsError } from '../errors/error.js';
import { reasonOf } from '../errors/reason.js';
import { configDirectory } from './directories.js';
import { type OptionName, optionNames, options, parseOption, type Settings, variableOf } from './options.js';

export type Flags = { readonly [Name in OptionName]?: unknown };

/**
 * The settings in force: defaults, then config.toml, then the environment, then flags, each over what came before.
 * Rejects with CRFS_USAGE for an unknown name or a value out of range.
 */
export async function loadSettings(flags: Flags): Promise<Settings> {
  const file = join(configDirectory(), 'config.toml');
  const configured = await readConfig(file);
  const values = optionNames.map((name) => {
    const variable = process.env[variableOf(name)];
    if (flags[name] !== undefined) return [name, parseOption(name, flags[name], `--${name}`)];
    if (variable !== undefined) return [name, parseOption(name, variable, variableOf(name))];
    if (configured[name] !== undefined) return [name, parseOption(name, configured[name], file)];
    return [name, options[name].fallback];
  });
  return Object.fromEntries(values) as Settings;
}

async function readConfig(file: string): Promise<Flags> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new CrfsError('CRFS_USAGE', `cannot read ${file}: ${reasonOf(error)}`);
  }
  const config = await parseToml(file, text);
  const unknown = Object.keys(config).find((name) => !(optionNames as string[]).includes(name));
  if (unknown !== undefined) {
    throw new CrfsError('CRFS_USAGE', `${file}: unknown setting ${unknown}; there are ${optionNames.join(', ')}`);
  }
  return config;
}

/** The parser is loaded where there is something to parse: every start of the daemon is waited for. */
async function parseToml(file: string, text: string): Promise<Record<string, unknown>> {
  const { parse } = await import('smol-toml');
  try {
    return parse(text);
  } catch (error) {
    const { message, line, column } = error as TomlError;
    throw new CrfsError('CRFS_USAGE', `${file}:${line}:${column}: ${message.split('\n')[0]}`);
  }
}
