// SPDX-License-Identifier: GPL-3.0-or-later

import { type Option, optionNames, options, variableOf } from './options.js';

const HEAD = `# Settings

The daemon takes its settings, in rising order, from \`$XDG_CONFIG_HOME/crfs-plugin/config.toml\`, the environment (of the
mount that starts it), and the flags of \`crfs daemon\`. Bytes may be written as \`4M\`, times as \`90s\`, \`10m\`,
\`2h\` or \`1d\`; a time without a unit is in seconds.

| config.toml, flag | environment | default | what it is for |
| --- | --- | --- | --- |
`;

const TAIL = `
\`--lazy\` of a command that mounts, or \`CRFS_LAZY\` in its environment, goes before the daemon's setting, for that mount ([plain-layers.md](plain-layers.md)).

Of both front ends, read from the environment of crfs-lower or fuse-overlayfs:

| environment | default | what it is for |
| --- | --- | --- |
| \`CRFS_TIMEOUT\` | \`60\` | whole seconds after which an open or a read that still waits fails with ETIMEDOUT: 1 to 86400 |
| \`CRFS_PLUGIN_DAEMON\` | | the \`crfs\` command that starts the daemon, instead of the one that it was installed with |

How registries are asked, of each mount by itself and of commands: options of the same meaning go before. Variables of other programs that count
(\`REGISTRY_AUTH_FILE\`, proxies and more) are told of in [cli.md](cli.md#registries).

| environment | option | what it is for |
| --- | --- | --- |
| \`CRFS_CREDS\` | \`--creds\` | \`USER[:PASSWORD]\`, for the registries that images are named by |
| \`CRFS_TLS_VERIFY\` | \`--tls-verify\` | \`false\`: http and any certificate will do; \`true\`: they will not |
| \`CRFS_CERT_DIR\` | \`--cert-dir\` | a directory of certificates for all hosts |
| \`CRFS_POLICY\` | \`--policy\` | the policy that images must meet |
| \`CRFS_INSECURE_POLICY\` | \`--insecure-policy\` | \`true\`: all images are accepted |

Where things are, each by a variable of its own; one that is no absolute path counts as not set:

| what | where | without the variable |
| --- | --- | --- |
| the cache, and the sockets of its daemon: another cache, another daemon | \`$XDG_CACHE_HOME/crfs-plugin/\` | \`~/.cache/crfs-plugin/\` |
| the log, of all daemons of a user; \`crfs status\` tells its path | \`$XDG_STATE_HOME/crfs-plugin/daemon.log\` | \`~/.local/state/crfs-plugin/daemon.log\` |
| the settings | \`$XDG_CONFIG_HOME/crfs-plugin/config.toml\` | \`~/.config/crfs-plugin/config.toml\` |
`;

/** docs/settings.md */
export function settingsPage(): string {
  const rows = optionNames.map((name) => {
    const option: Option<unknown> = options[name];
    const fallback = option.fallbackText ?? String(option.fallback);
    return `| \`${name}\` | \`${variableOf(name)}\` | ${fallback} | ${option.description} |\n`;
  });
  return `${HEAD}${rows.join('')}${TAIL}`;
}
