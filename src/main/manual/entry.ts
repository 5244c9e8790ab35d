// SPDX-License-Identifier: GPL-3.0-or-later

/** The commands as --help has them, for what is made of them at build time: manual pages and completions. */

import type { Argument, Command, Option } from 'commander';

/**
 * What may stand in a place of the command line: one of some words, a file, a directory, a directory at which layers are
 * mounted, or what no shell can know.
 */
export type Values = readonly string[] | 'file' | 'directory' | 'mounted' | 'other';

/** An option or an argument. */
export interface Term {
  /** As --help writes it: `-f, --foreground`, `--upper <dir>`, `merged`. */
  readonly term: string;
  readonly description: string;
}

export interface OptionEntry extends Term {
  /** `-f` and `--foreground`, or one of the two. */
  readonly flags: readonly string[];
  /** undefined: it takes no value. */
  readonly values: Values | undefined;
}

export interface ArgumentEntry extends Term {
  readonly values: Values;
  /** Whether more of it may follow. */
  readonly variadic: boolean;
}

/** A command, or a part of one. */
export interface Entry {
  /** `crfs`, `cache`, `du` */
  readonly words: readonly string[];
  readonly description: string;
  /** What follows its words: `[options] <config> <merged>`. */
  readonly usage: string;
  readonly options: readonly OptionEntry[];
  readonly arguments: readonly ArgumentEntry[];
  readonly parts: readonly Entry[];
  /** What --help says at its end. */
  readonly more: string;
}

/** By the names of values, in lower case, of options and of arguments. */
const FILES = { option: ['file', 'path'], argument: ['config', 'file', 'src', 'dst'] };
const DIRECTORIES = ['dir', 'directory', 'merged', 'mountpoint'];
/** Commands whose directories are those of mounts that are there. */
const ABOUT_MOUNTS = ['umount', 'trace'];

/**
 * What sed -nE makes of /proc/self/mountinfo for shells: the mountpoints of what is ours, one a line, with what the kernel writes
 * as octal numbers as printf's %b reads it.
 */
export const MOUNTPOINTS = String.raw`s/^([^ ]+ ){4}([^ ]+) .* - (fuse\.fuse-overlayfs [^ ]+|(overlay|fuse\.crfs) crfs) .*/\2/; T; s/\\/&0/g; p`;

/** A command with all of its parts. */
export function entryOf(command: Command, before: readonly string[] = []): Entry {
  const words = [...before, command.name()];
  const help = command.createHelp();
  return {
    words,
    description: command.description(),
    usage: command.usage(),
    options: help.visibleOptions(command).map((option) => ({
      term: help.optionTerm(option),
      description: help.optionDescription(option),
      flags: [option.short, option.long].filter((flag) => flag !== undefined),
      values: valuesOfOption(option),
    })),
    arguments: command.registeredArguments.map((argument) => ({
      term: argument.name(),
      description: help.argumentDescription(argument),
      values: command.name() === 'help' ? namesBeside(command) : valuesOfArgument(argument, command.name()),
      variadic: argument.variadic,
    })),
    parts: help.visibleCommands(command).map((part) => entryOf(part, words)),
    more: moreOf(command),
  };
}

/** An entry and all that are below it, each before its parts. */
export function withParts(entry: Entry): Entry[] {
  return [entry, ...entry.parts.flatMap(withParts)];
}

function valuesOfOption(option: Option): Values | undefined {
  if (!option.required && !option.optional) return undefined;
  const name = /[<[](.+?)(?:\.\.\.)?[>\]]/.exec(option.flags)?.[1] ?? '';
  if (option.argChoices !== undefined) return option.argChoices;
  if (name.includes('|')) return name.split('|');
  return valuesNamed(name, FILES.option);
}

function valuesOfArgument(argument: Argument, command: string): Values {
  const values = argument.argChoices ?? valuesNamed(argument.name(), FILES.argument);
  return values === 'directory' && ABOUT_MOUNTS.includes(command) ? 'mounted' : values;
}

function valuesNamed(name: string, files: readonly string[]): Values {
  if (DIRECTORIES.includes(name.toLowerCase())) return 'directory';
  return files.includes(name.toLowerCase()) ? 'file' : 'other';
}

function namesBeside(command: Command): string[] {
  const { parent } = command;
  const beside = parent === null ? [] : parent.createHelp().visibleCommands(parent);
  return beside.map((part) => part.name()).filter((name) => name !== command.name());
}

function moreOf(command: Command): string {
  let text = '';
  command.configureOutput({
    writeOut: (piece) => {
      text += piece;
    },
  });
  command.outputHelp();
  return text.slice(command.helpInformation().length).trim();
}
