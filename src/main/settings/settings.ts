// SPDX-License-Identifier: GPL-3.0-or-later

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, type TomlError } from 'smol-toml';
import { CrfsError } from '../errors/error.js';
import { reasonOf } from '../errors/reason.js';
import { configDirectory } from './directories.js';
import { type OptionName, optionNames, options, parseOption, type Settings, variableOf } from './options.js';

export type Flags = { readonly [Name in OptionName]?: unknown };

/**
 * The settings in force: defaults, then config.toml, then the environment, then flags, each over what came before.
 * Throws CRFS_USAGE for an unknown name or a value out of range.
 */
export function loadSettings(flags: Flags): Settings {
  const file = join(configDirectory(), 'config.toml');
  const configured = readConfig(file);
  const values = optionNames.map((name) => {
    const variable = process.env[variableOf(name)];
    if (flags[name] !== undefined) return [name, parseOption(name, flags[name], `--${name}`)];
    if (variable !== undefined) return [name, parseOption(name, variable, variableOf(name))];
    if (configured[name] !== undefined) return [name, parseOption(name, configured[name], file)];
    return [name, options[name].fallback];
  });
  return Object.fromEntries(values) as Settings;
}

function readConfig(file: string): Flags {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new CrfsError('CRFS_USAGE', `cannot read ${file}: ${reasonOf(error)}`);
  }
  const config = parseToml(file, text);
  const unknown = Object.keys(config).find((name) => !(optionNames as string[]).includes(name));
  if (unknown !== undefined) {
    throw new CrfsError('CRFS_USAGE', `${file}: unknown setting ${unknown}; there are ${optionNames.join(', ')}`);
  }
  return config;
}

function parseToml(file: string, text: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    const { message, line, column } = error as TomlError;
    throw new CrfsError('CRFS_USAGE', `${file}:${line}:${column}: ${message.split('\n')[0]}`);
  }
}
