// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, constants, mkdirSync, openSync, rmSync } from 'node:fs';
import type { Logger } from 'pino';
import { addon, type Connection, type RingStatus, type Watcher } from '../../native/addon.js';
import { HeldFile } from '../blob/held-file.js';
import type { CacheLayout } from '../disk/cache-layout.js';
import { CrfsError } from '../errors/error.js';
import type { LazyName } from '../plain/lazy-names.js';
import type { ClientLease, Clients } from './clients.js';
import { parseIntroduction } from './introduction.js';
import { NO_DESCRIPTORS } from './listener.js';
import {
  type Answer,
  decodeQuestion,
  encodeAnswer,
  messageLimit,
  type Question,
  type StoredQuestion,
} from './message.js';
import type { OpenLayer, OpenLayers } from './open-layers.js';
import { monotonicMs } from './openings.js';
import { lives } from './processes.js';
import type { Reading } from './reading.js';
import { refusalOf } from './refusal.js';
import type { Resolver } from './resolver.js';
import { Sources } from './session-sources.js';
import type { Start } from './start.js';
import type { StartedImage, Starts } from './starts.js';
import { answerStored } from './stored-answers.js';

const { controlVersion, busyIntervalMs } = addon.layout.constants;
const MOST_QUESTIONS_WAITING = 64;
const PIDS_KEPT = 4;

/** What every session of a daemon uses. */
export interface SessionContext {
  readonly resolver: Resolver;
  readonly clients: Clients;
  readonly layers: OpenLayers;
  readonly starts: Starts;
  readonly objectsFd: number;
  readonly draftsFd: number;
  readonly layout: CacheLayout;
  readonly log: Logger;
  /** Called once, when the mount has gone and all that it held is released. */
  readonly ended: (session: Session) => void;
}

/** A question, and the descriptors that came along. */
interface Packet {
  readonly question: Question;
  readonly files: readonly HeldFile[];
  /** Descriptors of it were lost. */
  readonly cut: boolean;
}

type Asked<Kind> = Extract<Question, { kind: Kind }>;

/** One mount: its control connection, its ring and the layers that it uses. */
export class Session {
  /** As the mount tells it. */
  mountpoint = '?';
  /** As the mount told of itself: introduction.ts. */
  driver: string | undefined;
  mountNamespace: string | undefined;
  configuration: string | undefined;
  /** When this daemon first heard of it. */
  readonly since = new Date();
  /** Resolves when the mount has gone and all that it held is released. */
  readonly ended: Promise<void>;
  readonly #context: SessionContext;
  readonly #fd: number;
  readonly #watcher: Watcher;
  readonly #buffer = Buffer.allocUnsafe(messageLimit);
  readonly #questions: Packet[] = [];
  readonly #sources: Sources;
  readonly #asked: string[] = [];
  readonly #stale: string[] = [];
  readonly #blobs = new Set<HeldFile>();
  readonly #starts: Start[] = [];
  /** Of the processes that spoke for the mount, the last first: a host that forks goes on in its child. */
  #pids: number[];
  #ring: number | undefined;
  #lease: ClientLease | undefined;
  /** What becomes of its layers that have no TOC; undefined: the daemon's setting. */
  #lazy: LazyName | undefined;
  #counted: RingStatus | null = null;
  #staging: string | undefined;
  #answering = false;
  #hungUp = false;
  #end: () => void = () => undefined;

  constructor({ fd, pid }: Connection, context: SessionContext) {
    this.#pids = [pid];
    this.ended = new Promise((end) => {
      this.#end = end;
    });
    this.#fd = fd;
    this.#context = context;
    this.#sources = new Sources(context.layers);
    this.#watcher = new addon.Watcher(fd, () => this.#receive());
  }

  /** The process of the mount. */
  get pid(): number {
    return this.#pids.find(lives) ?? this.#pids[0] ?? 0;
  }

  /** What it asked for, as it was written. */
  get asked(): readonly string[] {
    return this.#asked;
  }

  /** Why what it asked for is what was seen last: `Resolved.stale`. */
  get stale(): readonly string[] {
    return this.#stale;
  }

  /** The layers that it uses, the base first: of several sources, the topmost was asked for first. */
  get layers(): readonly OpenLayer[] {
    return this.#sources.layers;
  }

  /** Its layers without a TOC that are just being read as a whole. */
  get reading(): readonly Reading[] {
    return this.#sources.reading;
  }

  /** Of its images. */
  get starts(): readonly Start[] {
    return this.#starts;
  }

  /** The number of its ring, once it has one. */
  get ringNumber(): number | undefined {
    return this.#ring;
  }

  /** What its ring counts; of a mount that has gone, what it counted. */
  get ring(): RingStatus | null {
    return this.#counted ?? (this.#ring === undefined ? null : addon.ringStatus(this.#ring));
  }

  /** Ends the session as if the mount had gone. */
  close(): void {
    if (this.#hungUp) return;
    this.#hungUp = true;
    this.#watcher.close();
    this.#counted = this.ring;
    for (const start of this.#starts) start.end();
    if (this.#ring !== undefined) addon.ringDetach(this.#ring);
    this.#sources.giveUp();
    if (!this.#answering) void this.#release();
  }

  #receive(): void {
    if (this.#hungUp) return;
    const packet = addon.controlReceive(this.#fd, this.#buffer);
    if (packet === null) return;
    const files = packet.fds.map((fd) => new HeldFile(fd));
    try {
      if (packet.length === 0) throw new CrfsError('CRFS_USAGE', 'the mount has gone');
      const question = decodeQuestion(this.#buffer.subarray(0, packet.length));
      this.#spokenBy(packet.pid);
      if (question.kind === 'here' && files.length === 0) return;
      this.#questions.push({ question, files, cut: packet.cut });
      if (this.#questions.length > MOST_QUESTIONS_WAITING) throw new CrfsError('CRFS_USAGE', 'too many questions');
    } catch (error) {
      for (const file of files) file.release();
      if (packet.length > 0)
        this.#context.log.warn({ host: this.pid }, `hung up on a mount: ${(error as Error).message}`);
      this.close();
      return;
    }
    if (!this.#answering) void this.#answerAll();
  }

  #spokenBy(pid: number): void {
    if (pid === 0 || pid === this.#pids[0]) return;
    this.#pids = [pid, ...this.#pids.filter((other) => other !== pid)].slice(0, PIDS_KEPT);
  }

  async #answerAll(): Promise<void> {
    this.#answering = true;
    while (!this.#hungUp) {
      const packet = this.#questions.shift();
      if (packet === undefined) break;
      const busy = setInterval(() => this.#send({ kind: 'busy' }), busyIntervalMs);
      try {
        await this.#answer(packet);
      } catch (error) {
        this.#refuse(error);
      } finally {
        clearInterval(busy);
        for (const file of packet.files) if (!this.#blobs.has(file)) file.release();
      }
    }
    this.#answering = false;
    if (this.#hungUp) await this.#release();
  }

  async #answer({ question, files, cut }: Packet): Promise<void> {
    if (cut) throw new CrfsError('CRFS_INTERNAL', NO_DESCRIPTORS);
    if (question.kind === 'hello') this.#hello(question, files);
    else if (this.#lease === undefined) throw new CrfsError('CRFS_USAGE', 'a mount must say hello first');
    else if (question.kind === 'open') await this.#open(question, files, this.#lease);
    else if (question.kind === 'layer') await this.#layer(question);
    else if ('source' in question) await this.#ofStore(question);
    else throw new CrfsError('CRFS_USAGE', 'there is no such control message');
  }

  #hello({ version, text }: Asked<'hello'>, files: readonly HeldFile[]): void {
    if (version !== controlVersion) {
      const hint = 'run `crfs stop` once its mounts have gone';
      throw new CrfsError(
        'CRFS_USAGE',
        `the daemon speaks version ${controlVersion} of the control protocol, the mount ${version}: ${hint}`,
      );
    }
    if (this.#ring !== undefined || files[0] === undefined) throw new CrfsError('CRFS_USAGE', 'a mount has one ring');
    this.#ring = addon.ringAttach(files[0].fd);
    const { mountpoint, driver, mountNamespace, configuration, lazy, env } = parseIntroduction(text);
    this.mountpoint = mountpoint;
    this.driver = driver;
    this.mountNamespace = mountNamespace;
    this.configuration = configuration;
    this.#lazy = lazy;
    this.#lease = this.#context.clients.lease(env);
    this.#staging = this.#context.layout.staging(this.#ring);
    mkdirSync(this.#staging, { mode: 0o700 });
    const staging = openSync(this.#staging, constants.O_RDONLY | constants.O_DIRECTORY);
    const fds = [addon.doorbellFd(), this.#context.objectsFd, this.#context.draftsFd, staging];
    this.#send({ kind: 'welcome', version: controlVersion }, fds);
    closeSync(staging);
  }

  async #open({ again, text }: Asked<'open'>, files: readonly HeldFile[], lease: ClientLease): Promise<void> {
    const [blob] = files;
    this.#asked.push(text); // the mount itself says what it asked for
    const asked = monotonicMs();
    const resolved = await this.#context.resolver.resolve(text, blob, { lease, trusted: again });
    if (resolved.stale !== undefined) this.#stale.push(resolved.stale);
    if (blob) this.#blobs.add(blob);
    const { source, layers, opened } = this.#sources.add(resolved, resolved.lazy ?? this.#lazy);
    if (!again && resolved.image !== undefined) this.#learn({ ...resolved.image, asked, opened });
    this.#send({ kind: 'opened', source, layers, text: resolved.text });
  }

  /** Of a mount that is new: one that goes on with another daemon does not start now. */
  #learn(image: StartedImage): void {
    if (this.#ring !== undefined) this.#starts.push(this.#context.starts.begin(this.#ring, image));
  }

  async #layer({ source, place, digest }: Asked<'layer'>): Promise<void> {
    const seen = digest.some((byte) => byte !== 0) ? Buffer.from(digest).toString('hex') : undefined;
    const layer = await this.#sources.layer(source, place, seen);
    const { key } = layer.record;
    if (seen !== undefined && key !== seen) {
      throw new CrfsError('CRFS_DIGEST', `${layer.name}: the layer is not the one that was mounted: it has changed`);
    }
    this.#send({ kind: 'layerIndex', number: layer.number, digest: Buffer.from(key, 'hex') }, [layer.indexFd]);
    this.#context.log.info({ mountpoint: this.mountpoint, host: this.pid, layer: layer.name }, 'mounted a layer');
  }

  async #ofStore(question: StoredQuestion): Promise<void> {
    const stored = this.#sources.stored(question.source);
    this.#send(...(await answerStored(question, stored, await this.#sources.layer(question.source, 0))));
  }

  #refuse(error: unknown): void {
    if (this.#hungUp) return;
    const what = { mountpoint: this.mountpoint, host: this.pid };
    this.#context.log.warn(what, `refused a mount: ${(error as Error).message}`);
    this.#send(refusalOf(error, this.#asked));
  }

  #send(answer: Answer, fds: number[] = []): void {
    if (this.#hungUp) return;
    try {
      addon.controlSend(this.#fd, encodeAnswer(answer), fds);
    } catch (error) {
      this.#context.log.debug({ host: this.pid }, `a mount does not listen: ${(error as Error).message}`);
      this.close();
    }
  }

  async #release(): Promise<void> {
    for (const packet of this.#questions) for (const file of packet.files) file.release();
    for (const blob of this.#blobs) blob.release();
    if (this.#staging !== undefined) rmSync(this.#staging, { recursive: true, force: true });
    await this.#sources.release();
    await this.#lease?.release();
    this.#context.ended(this);
    this.#end();
  }
}
