// SPDX-License-Identifier: GPL-3.0-or-later

/** What commands have the daemon do with an image, without a mount. */

import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { Refusal } from '../daemon/api.js';
import { askStatus, followDaemon, isEnd } from '../daemon/ask.js';
import type { Done, Prefetched, ToPrefetch } from '../daemon/prefetch.js';
import type { Variables } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import type { Progress, Step } from '../output/progress.js';
import { shortenDigests } from '../output/text.js';
import { shownConfiguration } from '../sources/configuration.js';
import { startDaemon } from './daemon.js';
import { readsOn } from './reads.js';

type Layers = Extract<Prefetched, { readonly layers: unknown }>['layers'];

/** As a mount introduces itself, that is at no mountpoint. */
export function introductionOf(environment: Variables): string {
  const variables = Object.entries(environment).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  );
  return ['?', process.cwd(), ...variables].join('\0');
}

/** Has the daemon fetch all, or what is wanted of it. Rejects with what keeps it from that. */
export async function fetchedByDaemon(
  wanted: ToPrefetch,
  progress: Progress,
  signal: AbortSignal,
): Promise<Done & { readonly layers: Layers }> {
  if ((await askStatus()) === undefined) await startUnlessOneRuns();
  const steps: Step[] = [];
  const showReads = readsOn(progress);
  let layers: Layers = [];
  try {
    const lines = await followDaemon('/prefetch', signal, JSON.stringify(wanted));
    if (typeof lines === 'number') {
      throw new CrfsError('CRFS_USAGE', 'the daemon that runs is older, and cannot prefetch: run `crfs daemon`');
    }
    for await (const line of createInterface({ input: Readable.from(lines ?? []) })) {
      const told = JSON.parse(line) as Prefetched;
      if ('error' in told) throw namingImage(told.error, wanted.configuration);
      if ('done' in told) return { ...told.done, layers };
      if ('reading' in told) {
        showReads(told.reading);
        continue;
      }
      showReads([]);
      if (wanted.indexes) continue;
      for (const [place, { name, size, present }] of told.layers.entries()) {
        const step = (steps[place] ??= progress.start(shortenDigests(name), size));
        step.advance(present - (layers[place]?.present ?? 0));
      }
      layers = told.layers;
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!isEnd(error)) throw error;
  }
  signal.throwIfAborted();
  throw new CrfsError('CRFS_UNREACHABLE', 'the daemon has ended: try again, what is here stays');
}

/** Another command, or a mount, may have started one at the same time. */
async function startUnlessOneRuns(): Promise<void> {
  try {
    await startDaemon([]);
  } catch (error) {
    if ((await askStatus()) === undefined) throw error;
  }
}

function namingImage({ code, message }: Refusal['error'], configuration: string): CrfsError {
  const name = shownConfiguration(configuration);
  return new CrfsError(code, message.includes(name) ? message : `${name}: ${message}`);
}
