// SPDX-License-Identifier: GPL-3.0-or-later

/** A page in a headless Chromium, asked by its DevTools protocol over two pipes. */

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import type { ExecutionContext } from 'ava';

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'];

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly request?: { readonly url: string } };
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

export interface Look {
  readonly width: number;
  readonly height: number;
  readonly scheme: 'light' | 'dark';
}

export interface BrowserPage {
  /** Addresses that the page has asked for. */
  readonly requests: readonly string[];
  /** What an expression is, in the page. */
  value<T>(expression: string): Promise<T>;
  look(look: Look): Promise<void>;
  /** A PNG of all of the page. */
  picture(): Promise<Buffer>;
}

/** Opens the page of a file, until the test ends. */
export async function openPage(t: ExecutionContext, file: string): Promise<BrowserPage> {
  const profile = mkdtempSync(join(tmpdir(), 'crfs-browser-'));
  const child = spawn('chromium', [...FLAGS, `--user-data-dir=${profile}`, '--remote-debugging-pipe'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    detached: true, // a group of its own, which ends with it
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  t.teardown(async () => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    await ended;
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  });
  const connection = new Connection(child.stdio[3] as Writable, child.stdio[4] as Readable);
  void ended.then(() => connection.end());
  const { targetId } = await connection.ask<{ targetId: string }>('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await connection.ask<{ sessionId: string }>('Target.attachToTarget', {
    targetId,
    flatten: true,
  });
  const ask = <T>(method: string, params: object = {}): Promise<T> => connection.ask<T>(method, params, sessionId);
  await ask('Page.enable');
  await ask('Network.enable');
  const loaded = connection.event('Page.loadEventFired');
  await ask('Page.navigate', { url: pathToFileURL(file).href });
  await loaded;
  return {
    requests: connection.requests,
    value: async <T>(expression: string) => {
      const { result } = await ask<{ result: { value: T } }>('Runtime.evaluate', { expression, returnByValue: true });
      return result.value;
    },
    look: async ({ width, height, scheme }) => {
      await ask('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 600 });
      await ask('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
    },
    picture: async () => {
      const { data } = await ask<{ data: string }>('Page.captureScreenshot', { captureBeyondViewport: true });
      return Buffer.from(data, 'base64');
    },
  };
}

class Connection {
  readonly requests: string[] = [];
  readonly #to: Writable;
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #events = new Map<string, () => void>();
  #next = 1;
  #rest = '';

  constructor(to: Writable, from: Readable) {
    this.#to = to;
    to.on('error', () => this.end());
    from.setEncoding('utf8').on('data', (text: string) => {
      const messages = (this.#rest + text).split('\0');
      this.#rest = messages.pop() ?? '';
      for (const message of messages) this.#receive(JSON.parse(message) as Message);
    });
  }

  /** Resolves to the answer. Rejects with what the browser says is wrong, and where it ends. */
  async ask<T>(method: string, params: object, sessionId?: string): Promise<T> {
    const id = this.#next++;
    const answer = new Promise<Message>((resolve) => this.#waiting.set(id, resolve));
    this.#to.write(`${JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) })}\0`);
    const { result, error } = await answer;
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result as T;
  }

  /** Resolves when it comes next. */
  event(method: string): Promise<void> {
    return new Promise((resolve) => this.#events.set(method, resolve));
  }

  end(): void {
    for (const resolve of this.#waiting.values()) resolve({ error: { message: 'chromium has ended' } });
    this.#waiting.clear();
  }

  #receive(message: Message): void {
    if (message.id !== undefined) {
      this.#waiting.get(message.id)?.(message);
      this.#waiting.delete(message.id);
    }
    if (message.method === 'Network.requestWillBeSent') this.requests.push(message.params?.request?.url ?? '');
    if (message.method !== undefined) this.#events.get(message.method)?.();
  }
}
