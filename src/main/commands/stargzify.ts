// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { engineNames } from '../../workers/engine-names.js';
import { spoolDirectory } from '../blob/spool.js';
import { DEFAULT_LEVEL, Deflater, type DeflaterOptions } from '../convert/deflater.js';
import { convertFile } from '../convert/file.js';
import { OUTPUT_FORMATS, type OutputFormat } from '../convert/form.js';
import { convertImage, type ImageOptions, type ImageResult } from '../convert/image/convert-image.js';
import { optionsWord } from '../convert/image/made-from.js';
import { DEFAULT_CHUNK_SIZE, type LayerOptions, type LayerResult } from '../convert/layer.js';
import { readPatterns } from '../convert/patterns.js';
import { CrfsError } from '../errors/error.js';
import { Interruption } from '../errors/interrupted.js';
import { checkDestination, checkName, namesTransport, openDestination, openSource } from '../images/open.js';
import { type Progress, progressOn, type Step, silent } from '../output/progress.js';
import { tellingRetries } from '../output/retries.js';
import { warn } from '../output/tell.js';
import { toJson } from '../output/terminal.js';
import { formatBytes } from '../output/text.js';
import { tellingIfSlow } from '../output/waiting.js';
import { accessOf } from '../registry/access.js';
import { RegistryClient } from '../registry/client.js';
import { parsePlatform } from '../registry/platform.js';
import { namesRegistry } from '../registry/reference.js';
import type { Platform } from '../registry/types.js';
import { BYTE_UNITS, quantity } from '../settings/quantity.js';
import { neitherFileNorImage } from '../sources/configuration.js';
import { refuse, refuseWithoutEffectOnEnds } from './no-effect.js';
import { addRegistriesOptions, environmentsFor, type RegistriesGiven } from './registry-options.js';
import { startOrderOf } from './start-order.js';

interface Given extends DeflaterOptions, RegistriesGiven {
  format: OutputFormat;
  chunkSize: number;
  minChunkSize: number;
  prioritize?: string;
  profile?: string;
  platform?: Platform;
  allPlatforms?: boolean;
  force?: boolean;
  quiet?: boolean;
  json?: boolean;
}

type Options = Omit<LayerOptions, 'name'>;

/** What a conversion is told of where it runs. */
interface Session {
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

const help = `
Images are docker://NAME (or just NAME), oci:DIR[:TAG], oci-archive:FILE[:TAG]
and docker-archive:FILE[:NAME]; <src> may be dir:DIR, too.

Examples:
  crfs stargzify docker.io/fedora localhost:5000/myimages/fedora:stargz
  crfs stargzify --format zstd:chunked docker.io/fedora localhost:5000/fedora
  crfs stargzify --all-platforms docker.io/library/alpine:3 oci:layout:alpine
  crfs stargzify layer.tar.gz layer.esgz
  zstd -dc layer.tar.zst | crfs stargzify - layer.esgz`;

/** Options that make a difference to a single layer. */
const FOR_LAYERS: readonly string[] = [
  'format',
  'chunkSize',
  'minChunkSize',
  'level',
  'prioritize',
  'profile',
  'workers',
  'engine',
  'quiet',
  'json',
] satisfies (keyof Given)[];

const chunkLimits = [512, 2 ** 28] as const;
/** The highest levels. Beyond those of zstd, readers would need more memory. */
const [GZIP_LEVELS, ZSTD_LEVELS] = [9, 19] as const;

/** `crfs stargzify` */
export function addStargzify(program: Command): void {
  const command = program
    .command('stargzify')
    .description('convert an image, or a single layer, to eStargz, zstd:chunked or stargz')
    .argument('<src>', 'an image, or a tar, plain or compressed with gzip or zstd; - is standard input')
    .argument('<dst>', 'the image, or for a tar the file, to write')
    .addOption(
      new Option('--platform <platform>', "of a multi-platform image, which; default: the machine's")
        .argParser(parsePlatform)
        .conflicts('allPlatforms'),
    )
    .option('--all-platforms', 'convert all images of a multi-platform image')
    .option('--force', 'convert, also if <dst> was made from <src> with these options already')
    .addOption(
      new Option('--format <format>', 'stargz is the legacy form').choices(OUTPUT_FORMATS).default(OUTPUT_FORMATS[0]),
    )
    .addOption(
      new Option('--chunk-size <bytes>', 'bytes of a file that are fetched at once')
        .argParser(bytes(...chunkLimits))
        .default(DEFAULT_CHUNK_SIZE, '4M'),
    )
    .option('--min-chunk-size <bytes>', 'have small files share a member up to this size', bytes(0, chunkLimits[1]), 0)
    .option(
      '--level <level>',
      `from 1, fast, to ${GZIP_LEVELS}, small; zstd:chunked to ${ZSTD_LEVELS}`,
      integer(1, ZSTD_LEVELS),
      DEFAULT_LEVEL,
    )
    .option('--prioritize <file>', 'paths and globs of files wanted at start, one a line, the first first')
    .addOption(
      new Option(
        '--profile <file|image>',
        'the same, of all files of a start that was recorded: see crfs profile',
      ).conflicts('prioritize'),
    )
    .option('--workers <count>', 'threads that compress (default: one per processor)', integer(1, 256))
    .addOption(new Option('--engine <engine>', 'what deflates').choices(engineNames).default('libdeflate'));
  addRegistriesOptions(command)
    .option('-q, --quiet', 'print the digest of the result, and nothing else')
    .addOption(new Option('--json', 'print the result as JSON, and no progress').conflicts('quiet'))
    .addHelpText('after', help)
    .action(stargzify);
}

async function stargzify(source: string, destination: string, given: Given, command: Command): Promise<void> {
  if (isLayer(source)) refuse(command, optionsForImages(command), 'images', source);
  else refuseWithoutEffectOnEnds(command, source, destination);
  checkCompression(command, given);
  const { format, chunkSize, minChunkSize, quiet, json, allPlatforms, platform } = given;
  const prioritize = given.prioritize === undefined ? {} : { prioritize: readPatterns(given.prioritize) };
  const profile = given.profile === undefined ? {} : { startOrder: await startOrderOf(given.profile, given) };
  const progress = json || quiet ? silent : progressOn(process.stderr);
  const session = { progress, signal: new Interruption().signal };
  const deflater = new Deflater(format === 'zstd:chunked' ? { ...given, engine: 'libzstd' } : given);
  const options = { deflater, format, chunkSize, minChunkSize, ...prioritize, ...profile };
  let result: LayerResult | ImageResult;
  try {
    const which = allPlatforms ? { platform: 'all' as const } : platform && { platform };
    result = isLayer(source)
      ? await convertOneLayer(source, destination, options, session)
      : await convertWholeImage(source, destination, { ...options, ...which }, session, given);
  } finally {
    progress.close();
    await deflater.close();
  }
  const before = 'isThere' in result && result.isThere ? `, made from ${source} before` : '';
  const text = quiet ? result.digest : `${destination}: ${result.digest}${before}`;
  process.stdout.write(`${json ? toJson(result) : text}\n`);
}

/** Throws CRFS_USAGE for options of compression that the format does not know. */
function checkCompression(command: Command, { format, level = DEFAULT_LEVEL }: Given): void {
  if (format === 'zstd:chunked') refuse(command, ['engine', 'minChunkSize'], 'stargz and eStargz', format);
  else if (level > GZIP_LEVELS) {
    throw new CrfsError('CRFS_USAGE', `--level ${level} is for zstd:chunked: ${format} goes to ${GZIP_LEVELS}`);
  }
}

function optionsForImages({ options }: Command): string[] {
  return options.map((option) => option.attributeName()).filter((name) => !FOR_LAYERS.includes(name));
}

/** A layer is standard input or a file; what looks like a file and is none is not asked for at a registry. */
function isLayer(source: string): boolean {
  if (namesTransport(source)) return false;
  if (source === '-' || /^[./]/.test(source) || /\.(tar|tgz|tar\.\w+)$/.test(source)) return true;
  return statSync(source, { throwIfNoEntry: false })?.isFile() === true;
}

/** Why a layer cannot be written to a destination; undefined: it can. */
function whyNoFile(destination: string): string | undefined {
  if (destination === '') return 'no file is named';
  if (destination === '-') return 'it is not written to standard output; ./- is a file of that name';
  if (namesTransport(destination)) return `${destination} is for an image`;
  if (statSync(destination, { throwIfNoEntry: false })?.isDirectory()) return `${destination} is a directory`;
  const directory = dirname(destination);
  if (existsSync(directory)) return undefined;
  const registry = namesRegistry(destination) ? ', and a registry takes only images' : '';
  return `there is no directory ${JSON.stringify(directory)}${registry}`;
}

async function convertOneLayer(
  source: string,
  destination: string,
  options: Options,
  { progress, signal }: Session,
): Promise<LayerResult> {
  const why = whyNoFile(destination);
  if (why !== undefined) throw new CrfsError('CRFS_USAGE', `${source} is a single layer, and goes to a file: ${why}`);
  const from = source === '-' ? undefined : statSync(source, { throwIfNoEntry: false });
  if (from?.isDirectory()) {
    throw new CrfsError('CRFS_USAGE', `${source} is a directory: an image in one is oci:DIR[:TAG] or dir:DIR`);
  }
  const there = statSync(destination, { throwIfNoEntry: false });
  if (from && from.ino === there?.ino && from.dev === there.dev) {
    throw new CrfsError('CRFS_USAGE', `${source} and ${destination} are one file, and the tar would be lost`);
  }
  let step: Step | undefined;
  const onProgress = (read: number): void => {
    step ??= progress.start(`${source}: converting`, from?.size);
    step.advance(read);
  };
  const result = await convertFile(source, destination, { ...options, signal, onProgress });
  step?.done(`${source}: ${formatBytes(result.size)}, ${result.entries} entries`);
  for (const warning of result.warnings) progress.note(`${source}: ${warning}`);
  return result;
}

async function convertWholeImage(
  from: string,
  to: string,
  options: Options & Pick<ImageOptions, 'platform'>,
  session: Session,
  given: Given,
): Promise<ImageResult> {
  const environments = environmentsFor(given);
  const onRetry = tellingRetries((line) => session.progress.note(line));
  const open = (env: typeof environments.source): RegistryClient =>
    new RegistryClient({ spool: spoolDirectory(), ...accessOf(env), onRetry });
  const clients = { source: open(environments.source), destination: open(environments.destination) };
  try {
    await checkNames(from, to, clients);
    const { note } = session.progress;
    const earlier = {
      open: async () => await openSource(to, clients.destination, session.signal),
      options: optionsWord(options, given),
      force: given.force ?? false,
    };
    const source = await tellingIfSlow(`looking for ${from}`, openSource(from, clients.source, session.signal), note);
    try {
      const opening = openDestination(to, clients.destination, session.signal);
      const destination = await tellingIfSlow(`looking for ${to}`, opening, note);
      try {
        return await convertImage(source, destination, { ...options, ...session, warn, earlier });
      } finally {
        await destination.close();
      }
    } finally {
      await source.close();
    }
  } finally {
    await Promise.all([clients.source.close(), clients.destination.close()]);
  }
}

/** What is wrong with either name is told before anybody is asked for the source. */
async function checkNames(
  from: string,
  to: string,
  { source, destination }: { readonly source: RegistryClient; readonly destination: RegistryClient },
): Promise<void> {
  await checkName(from, source).catch((error: CrfsError) => {
    throw error.code === 'CRFS_USAGE' && !namesTransport(from) ? neitherFileNorImage(from, error) : error;
  });
  await checkDestination(to, destination).catch((error: CrfsError) => {
    throw new CrfsError(error.code, `${from} is an image, and goes to one: ${error.message}`, { cause: error });
  });
}

function integer(low: number, high: number): (given: string) => number {
  return (given) => within(low, quantity(given), high, `It is a whole number from ${low} to ${high}.`);
}

function bytes(low: number, high: number): (given: string) => number {
  const wanted = `It is a number of bytes, such as 65536 or 4M, from ${low} to ${high}.`;
  return (given) => within(low, quantity(given, BYTE_UNITS), high, wanted);
}

function within(low: number, value: number | undefined, high: number, wanted: string): number {
  if (value !== undefined && value >= low && value <= high) return value;
  throw new InvalidArgumentError(wanted);
}
