// SPDX-License-Identifier: GPL-3.0-or-later

import { Command } from 'commander';
import { tellError } from './output/tell.js';

type Add = (program: Command) => void;

/** The commands, in the order of --help. Each is loaded when it is needed: the daemon, for one, starts on its own. */
const COMMANDS: Readonly<Record<string, () => Promise<Add>>> = {
  run: async () => (await import('./commands/run.js')).addRun,
  mount: async () => (await import('./commands/mount.js')).addMount,
  'mount-helper': async () => (await import('./commands/mount-helper.js')).addMountHelper,
  umount: async () => (await import('./commands/umount.js')).addUmount,
  store: async () => (await import('./commands/store.js')).addStore,
  lowerdir: async () => (await import('./commands/lowerdir.js')).addLowerdir,
  inspect: async () => (await import('./commands/inspect.js')).addInspect,
  ls: async () => (await import('./commands/ls.js')).addLs,
  stat: async () => (await import('./commands/stat.js')).addStat,
  cat: async () => (await import('./commands/cat.js')).addCat,
  verify: async () => (await import('./commands/verify.js')).addVerify,
  stargzify: async () => (await import('./commands/stargzify.js')).addStargzify,
  daemon: async () => (await import('./commands/daemon.js')).addDaemon,
  status: async () => (await import('./commands/status.js')).addStatus,
  trace: async () => (await import('./commands/trace.js')).addTrace,
  profile: async () => (await import('./commands/profile.js')).addProfile,
  index: async () => (await import('./commands/index-image.js')).addIndex,
  prefetch: async () => (await import('./commands/prefetch.js')).addPrefetch,
  cache: async () => (await import('./commands/cache.js')).addCache,
  stop: async () => (await import('./commands/stop.js')).addStop,
  setup: async () => (await import('./commands/setup.js')).addSetup,
  doctor: async () => (await import('./commands/doctor.js')).addDoctor,
  version: async () => (await import('./commands/version.js')).addVersion,
};

/**
 * The command line: all of it, or with the one command `name` if there is such a command. What it throws when it is
 * parsed: CommanderError, and what the commands throw.
 */
export async function createProgram(name = ''): Promise<Command> {
  const program = new Command('crfs')
    .description('Start containers without pulling their images: layers are mounted, and fetched as they are read.')
    .enablePositionalOptions() // a command has no --version, and what is behind the image of `run` is for that
    .option('-V, --version', 'the same as `crfs version`')
    .exitOverride()
    .configureHelp({ minWidthToWrap: 24 }) // beside names of 50 columns, too, in a terminal of 80
    .addHelpText(
      'after',
      '\nExits with 0 if all went well, 1 if it failed, 2 if it was asked for what makes\n' +
        'no sense, and as shells tell of a signal if one interrupted it.',
    );
  const one = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  for (const load of one ? [one] : Object.values(COMMANDS)) (await load())(program);
  addHelp(program);
  refuseUnknown(program);
  tellInOneLine(program, 'crfs');
  return program;
}

/**
 * `help [command]` of a command and of those of its parts that have parts. Commander's own answers a name that it does not
 * know with the whole help.
 */
function addHelp(command: Command): void {
  for (const part of command.commands) if (part.commands.length > 0) addHelp(part);
  command
    .command('help')
    .description('display help for command')
    .argument('[command...]')
    .action((names: readonly string[]) => {
      let found = command;
      for (const name of names) {
        found = found.commands.find((part) => part.name() === name) ?? found.error(`unknown command '${name}'`);
      }
      found.help();
    });
}

/** Commander takes `nosuch --help` for `--help`, of what has parts. */
function refuseUnknown(command: Command): void {
  if (command.commands.length === 0) return;
  command.on('beforeHelp', () => {
    const [name] = command.args;
    const isPart = command.commands.some((part) => part.name() === name);
    if (name !== undefined && !name.startsWith('-') && !isPart) command.error(`unknown command '${name}'`);
  });
  for (const part of command.commands) refuseUnknown(part);
}

/** What commander finds wrong with a command line is told with where that command, or its part, is described. */
function tellInOneLine(command: Command, called: string): void {
  command.configureOutput({
    outputError: (text) =>
      tellError(`${withoutFrame(text)}${hintOn(text, called)}; see \`${called} --help\``, 'CRFS_USAGE'),
  });
  for (const part of command.commands) tellInOneLine(part, `${called} ${part.name()}`);
}

/** What was typed out of habit may be podman's. */
function hintOn(text: string, called: string): string {
  return called === 'crfs run' && text.startsWith('error: unknown option')
    ? ': what else `podman run` takes goes behind -o, as -o --memory=1g'
    : '';
}

/** What commander finds wrong, in one line. */
function withoutFrame(text: string): string {
  return text
    .replace(/^error: /, '')
    .trim()
    .replaceAll('\n', ' ')
    .replace(/\.$/, '');
}
