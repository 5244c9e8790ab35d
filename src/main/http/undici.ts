// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * The part of undici that is used here. All of it takes 80 ms to load, most of that for its caches, mocks and fetch, and
 * every first start of a container waits for it: this part takes 25 ms.
 */

import { createRequire } from 'node:module';
import type undici from 'undici';

const require = createRequire(import.meta.url);
const { prototype } = require('undici/lib/dispatcher/dispatcher.js') as typeof undici.Dispatcher;
Object.assign(prototype, require('undici/lib/api/index.js')); // as its index.js does

export const Client = require('undici/lib/dispatcher/client.js') as typeof undici.Client;
export const Agent = require('undici/lib/dispatcher/agent.js') as typeof undici.Agent;
export const ProxyAgent = require('undici/lib/dispatcher/proxy-agent.js') as typeof undici.ProxyAgent;
