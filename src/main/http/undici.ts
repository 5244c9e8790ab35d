// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * The part of undici that is used here. All of it takes 80 ms to load, most of that for its caches, mocks and fetch, and
 * every first start of a container waits for it: this part takes 25 ms.
 */

import './baseline-parser.js';
import './end-of-connection.js';
import api from 'undici/lib/api/index.js';
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';

Object.assign(Dispatcher.prototype, api); // as its index.js does

export { default as Agent } from 'undici/lib/dispatcher/agent.js';
export { default as Client } from 'undici/lib/dispatcher/client.js';
export { default as ProxyAgent } from 'undici/lib/dispatcher/proxy-agent.js';
