// SPDX-License-Identifier: GPL-3.0-or-later

import type { Engine } from './engine.js';
import type { RunDirectory } from './mounter.js';
import { argumentsOf, imageEnvironment, imageVolumes, type RunRequest } from './request.js';

/** podman, which sees to networks, volumes, limits and names of users. */
export const podman: Engine = {
  command: (request, directory) => ['podman', ...runArguments(request, directory)],
  kill: (id) => ['podman', 'rm', '--force', '--time', '0', id],
};

/** Values are joined to their options: those of an image could begin with a dash. */
function runArguments(request: RunRequest, { merged, idFile }: RunDirectory): string[] {
  const { config, interactive, tty, env, volumes, options, network, name } = request;
  const { workdir = config.workingDirectory, user = config.user } = request;
  const variables = [...imageEnvironment(config), ...env];
  const all = [...imageVolumes(request), ...volumes];
  return [
    'run',
    '--rm',
    `--cidfile=${idFile}`,
    ...(interactive ? ['--interactive'] : []),
    ...(tty ? ['--tty'] : []),
    ...variables.map((one) => `--env=${one}`),
    ...all.map((one) => `--volume=${one}`),
    ...given('workdir', workdir),
    ...given('user', user),
    ...given('stop-signal', config.stopSignal),
    ...given('network', network),
    ...given('name', name),
    ...options,
    '--rootfs',
    merged,
    ...argumentsOf(request),
  ];
}

function given(option: string, value = ''): string[] {
  return value === '' ? [] : [`--${option}=${value}`];
}
