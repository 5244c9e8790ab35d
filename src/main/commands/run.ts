// SPDX-License-Identifier: GPL-3.0-or-later

import { realpathSync } from 'node:fs';
import type { Command } from 'commander';
import type { Variables } from '../environment/environment.js';
import { Interruption } from '../errors/interrupted.js';
import { Workspace } from '../inspect/workspace.js';
import { progressOn } from '../output/progress.js';
import { tellingIfSlow } from '../output/waiting.js';
import { type ImageConfig, parseConfig } from '../registry/config.js';
import { attend } from '../run/attend.js';
import { chooseEngine } from '../run/choose.js';
import { makeRunDirectory } from '../run/directory.js';
import { mounterFor } from '../run/mounter.js';
import { argumentsOf, checkOptions, imageVolumes, type RunRequest } from '../run/request.js';
import { canonicalIn } from './canonical.js';
import { imageConfig, keepImageConfig } from './image-config.js';
import { addLazyOption, type MountingGiven, mountingEnvironment } from './lazy-option.js';
import { refuseWithoutEffect } from './no-effect.js';
import { tellingReads } from './reads.js';
import { addRegistryOptions } from './registry-options.js';
import { collect, configurationHelp, platformOption } from './view-options.js';

export interface RunGiven extends MountingGiven {
  interactive?: boolean;
  tty?: boolean;
  env?: string[];
  volume?: string[];
  workdir?: string;
  user?: string;
  entrypoint?: string;
  network?: string;
  name?: string;
  option?: string[];
  platform?: string;
}

const HELP = `
The image is mounted in a directory of its own, and podman runs the container
there: as the image says it is to be run, where options do not say otherwise.
What it changes goes with it, as by \`podman run --rm\`. The exit code is the
container's. Without podman, crun or runc is used, by root: then with the
network of this machine or none, and without -o.

Examples:
  crfs run localhost:5000/img:tag
  crfs run -it fedora bash
  crfs run -e DEBUG=1 -v ./data:/data -o --memory=1g localhost:5000/img:tag`;

/** `crfs run` */
export function addRun(program: Command): void {
  const command = program
    .command('run')
    .description('run a container of an image, without pulling that')
    .argument('<config>', configurationHelp);
  addRunOptions(command).addHelpText('after', HELP).action(runImage);
}

/** What may stand behind the image, or in front of it. */
export function addRunOptions(command: Command): Command {
  command
    .argument('[command...]', "what to run, instead of the image's own command; all behind the image is for it")
    .passThroughOptions()
    .option('-i, --interactive', 'pass standard input on')
    .option('-t, --tty', 'give it a terminal')
    .option('-e, --env <name[=value]>', 'set a variable, or pass it on from here; may be given again', collect)
    .option('-v, --volume <source:dir[:options]>', 'show a directory of this machine; may be given again', collect)
    .option('-w, --workdir <dir>', 'the working directory')
    .option('-u, --user <user[:group]>', 'names or numbers')
    .option('--entrypoint <command>', "instead of the image's: a word, or a list of words in JSON")
    .option('--network <network>', 'host, none, or what else podman knows')
    .option('--name <name>', 'of the container')
    .option('--rm', 'as it is anyway: what the container changes goes with it')
    .option('-o, --option <option>', 'a further option of `podman run`, as -o --memory=1g; may be given again', collect)
    .option(...platformOption);
  return addRegistryOptions(addLazyOption(command));
}

/** Runs a container to its end; the exit code of this process is then the container's. Throws what keeps it from being run. */
export async function runImage(
  written: string,
  words: readonly string[],
  given: RunGiven,
  command: Command,
): Promise<void> {
  refuseWithoutEffect(command, written);
  checkOptions(given.option ?? []);
  const environment = mountingEnvironment(given);
  const { configuration, bytes } = await tellingIfSlow(`looking for ${written}`, lookUp(written, given, environment));
  const config = parseConfig(bytes ?? Buffer.from('{}'), written); // of what is no image, nothing is known
  const request = requestOf(written, config, words, given);
  argumentsOf(request); // what is wrong with it is told before anything is mounted
  imageVolumes(request);
  const engine = chooseEngine();
  const mounter = mounterFor();
  const { signal } = new Interruption();
  const directory = await makeRunDirectory(mounter);
  try {
    const mounting = mounter.mount(directory, { configuration, environment, signal });
    await tellingReads(written, realpathSync(directory.merged), progressOn(process.stderr), mounting);
    keepImageConfig(configuration, bytes);
    process.exitCode = await attend(engine.command(request, directory), engine, directory);
  } finally {
    await mounter.remove(directory);
  }
}

/** What to mount, and its image's config. */
async function lookUp(
  written: string,
  { platform }: RunGiven,
  environment: Variables,
): Promise<{ readonly configuration: string; readonly bytes: Buffer | undefined }> {
  const workspace = new Workspace(environment);
  try {
    const configuration = await canonicalIn(workspace, written, platform);
    return { configuration, bytes: await imageConfig(configuration, workspace) };
  } finally {
    await workspace.close();
  }
}

function requestOf(image: string, config: ImageConfig, command: readonly string[], given: RunGiven): RunRequest {
  const { interactive = false, tty = false, env = [], volume: volumes = [], option: options = [] } = given;
  const { workdir, user, entrypoint, network, name } = given;
  return { image, config, command, interactive, tty, env, volumes, workdir, user, entrypoint, network, name, options };
}
