// SPDX-License-Identifier: GPL-3.0-or-later

import { readdirSync } from 'node:fs';
import type { Status } from './status.js';

/** One metric: its name and type, what it is, and its value. */
type Metric = readonly [name: string, type: 'counter' | 'gauge', help: string, value: number];

/**
 * What the daemon counts, in the text format of Prometheus (version 0.0.4). Names and paths stay out of it: on a loopback
 * address, other users can read it.
 */
export function renderMetrics(status: Status, fetched: { readonly bytes: number; readonly requests: number }): string {
  const { counters, workers, mounts, layers, memory, opens, usage: cache } = status;
  const { user, system } = process.cpuUsage();
  const waited = opens.misses + opens.lazyOpens;
  const metrics: readonly Metric[] = [
    ['crfs_mounts', 'gauge', 'Mounts that are served.', mounts.length],
    ['crfs_layers', 'gauge', 'Layers that mounts use.', layers.length],
    [
      'crfs_opens_total',
      'counter',
      'Opens of files with content; by the kernel, which tells of none, files that were first read.',
      opens.hits + waited,
    ],
    ['crfs_opens_waited_total', 'counter', 'Opens that had to wait for content, or whose reads do.', waited],
    ['crfs_opens_failed_total', 'counter', 'Opens that failed.', opens.errors],
    ['crfs_open_wait_seconds_total', 'counter', 'Time that opens waited.', opens.waitedNs / 1e9],
    ['crfs_requests_total', 'counter', 'Requests of mounts that workers took.', counters.requests],
    ['crfs_requests_waiting', 'gauge', 'Requests that no worker has taken yet.', opens.depth],
    ['crfs_objects_filled_total', 'counter', 'Files that were filled.', counters.objects],
    ['crfs_objects_filled_bytes_total', 'counter', 'Bytes of these files.', counters.objectBytes],
    ['crfs_inflated_bytes_total', 'counter', 'Bytes that came out of gzip members.', counters.inflatedBytes],
    ['crfs_blob_read_bytes_total', 'counter', 'Bytes that were read of blobs.', counters.readBytes],
    ['crfs_faults_total', 'counter', 'Files that could not be filled.', counters.errors + counters.digestErrors],
    ['crfs_digest_faults_total', 'counter', 'Files whose content was not that of their digest.', counters.digestErrors],
    ['crfs_fetched_bytes_total', 'counter', 'Bytes of layers that came over the network.', fetched.bytes],
    ['crfs_fetches_total', 'counter', 'Requests that brought them.', fetched.requests],
    ['crfs_workers', 'gauge', 'Threads that inflate layers.', workers.count],
    ['crfs_workers_busy', 'gauge', 'Files that are being filled.', workers.busy],
    ['crfs_worker_restarts_total', 'counter', 'Workers that died and were started again.', workers.restarts],
    ['crfs_cache_bytes', 'gauge', 'Bytes that the cache takes, as of the last look.', cache.bytes],
    ['crfs_cache_limit_bytes', 'gauge', 'Bytes that it may take.', cache.limit],
    ['process_resident_memory_bytes', 'gauge', 'Resident memory.', memory.rss],
    ['process_cpu_seconds_total', 'counter', 'Processor time.', (user + system) / 1e6],
    ['process_open_fds', 'gauge', 'Open descriptors.', readdirSync('/proc/self/fd').length],
    ['process_start_time_seconds', 'gauge', 'When the daemon started, since 1970.', Date.parse(status.started) / 1000],
  ];
  const lines = metrics.map(
    ([name, type, help, value]) => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name} ${value}\n`,
  );
  const build = `crfs_build_info{version="${status.version}"} 1`;
  return `# HELP crfs_build_info The version of the daemon.\n# TYPE crfs_build_info gauge\n${build}\n${lines.join('')}`;
}
