// SPDX-License-Identifier: GPL-3.0-or-later

import type { ExecutionContext } from 'ava';
import { type FaultProxy, startFaultProxy } from './fault-proxy.js';
import type { Machine } from './machine.js';
import { type Registry, startRegistry } from './registry.js';

/** A registry that keeps its blobs with a machine, and a proxy before it that can be made to fail; both end with the test. */
export async function registryBehindProxy(
  t: ExecutionContext,
  machine: Machine,
): Promise<{ readonly registry: Registry; readonly proxy: FaultProxy }> {
  const registry = await startRegistry({ root: machine.directory('registry') });
  t.teardown(() => registry.stop());
  const proxy = await startFaultProxy({ upstream: registry.url });
  t.teardown(() => proxy.close());
  return { registry, proxy };
}
