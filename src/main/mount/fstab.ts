// SPDX-License-Identifier: GPL-3.0-or-later

/** Options as fstab(5) has them, for `crfs mount`. */

import { splitOptions } from './split-options.js';

/** Those that stand for an option of `crfs mount` with a value. */
const OWN = [
  'upper',
  'work',
  'lower',
  'driver',
  'lazy',
  'platform',
  'authfile',
  'creds',
  'tls-verify',
  'cert-dir',
  'policy',
];
/** Those that are for mount(8), systemd and whoever reads fstab. */
const OTHERS = /^(defaults|rw|(no)?auto|nofail|_netdev|(no)?users?|group|owner|comment=.*|[xX]-.*)$/;

/** The arguments of `crfs mount` for options of a line of fstab: `upper=/a,work=/b,nosuid`. What it does not know is for what mounts. */
export function mountArguments(options: string): string[] {
  return splitOptions(options)
    .filter((option) => !OTHERS.test(option))
    .flatMap((option) => {
      if (option === 'insecure-policy') return ['--insecure-policy'];
      const [, name = '', value = ''] = /^([^=]+)=(.*)$/s.exec(option) ?? [];
      if (OWN.includes(name)) return [`--${name}=${value}`];
      return [`--option=${option.includes(',') ? `"${option}"` : option}`];
    });
}
