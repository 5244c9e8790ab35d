// SPDX-License-Identifier: GPL-3.0-or-later

import { readFileSync, statSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { engineNames } from '../../workers/deflate/task.js';
import { Deflater, type DeflaterOptions, defaultLevel } from '../convert/deflater.js';
import { convertFile } from '../convert/file.js';
import type { LayerFormat } from '../convert/footer.js';
import { defaultChunkSize, type LayerOptions, type LayerResult } from '../convert/layer.js';
import { type Progress, progressOn, type Step, silent } from '../convert/progress.js';
import { CrfsError } from '../errors/error.js';
import { formatBytes } from '../output/text.js';

interface Given extends DeflaterOptions {
  format: LayerFormat;
  chunkSize: number;
  minChunkSize: number;
  prioritize?: string;
  json?: boolean;
}

const chunkLimits = [512, 2 ** 28] as const;

/** `crfs stargzify` */
export function addStargzify(program: Command): void {
  program
    .command('stargzify')
    .description('convert layers to stargz')
    .argument('<src>', 'a layer: a tar file, plain or compressed with gzip or zstd; - is standard input')
    .argument('<dst>', 'the file to write')
    .addOption(
      new Option('--format <format>', 'stargz is the legacy form').choices(['estargz', 'stargz']).default('estargz'),
    )
    .option('--chunk-size <bytes>', 'bytes of a file that are fetched at once', bytes(...chunkLimits), defaultChunkSize)
    .option('--min-chunk-size <bytes>', 'have small files share a member up to this size', bytes(0, chunkLimits[1]), 0)
    .option('--level <level>', 'from 1, fast, to 9, small', integer(1, 9), defaultLevel)
    .option('--prioritize <file>', 'paths and globs of files wanted at start, one a line, the first first')
    .option('--workers <count>', 'threads that deflate (default: one per processor)', integer(1, 256))
    .addOption(new Option('--engine <engine>', 'what deflates').choices(engineNames).default('libdeflate'))
    .option('--json', 'print the result as JSON, and no progress')
    .addHelpText(
      'after',
      '\nExamples:\n  crfs stargzify layer.tar.gz layer.esgz\n  zstd -dc layer.tar.zst | crfs stargzify - layer.esgz',
    )
    .action(stargzify);
}

async function stargzify(source: string, destination: string, given: Given): Promise<void> {
  const { format, chunkSize, minChunkSize, json } = given;
  const prioritize = given.prioritize === undefined ? {} : { prioritize: readPatterns(given.prioritize) };
  const progress = json ? silent : progressOn(process.stderr);
  const interruption = interruptible();
  const deflater = new Deflater(given);
  const options = { deflater, format, chunkSize, minChunkSize, ...prioritize };
  try {
    const result = await convertOne(source, destination, options, progress, interruption.signal);
    progress.close();
    process.stdout.write(json ? `${JSON.stringify(result)}\n` : report(destination, result));
  } finally {
    progress.close();
    interruption.end();
    await deflater.close();
  }
}

async function convertOne(
  source: string,
  destination: string,
  options: Omit<LayerOptions, 'name'>,
  progress: Progress,
  signal: AbortSignal,
): Promise<LayerResult> {
  const size = source === '-' ? undefined : statSync(source, { throwIfNoEntry: false })?.size;
  let step: Step | undefined;
  const onProgress = (read: number): void => {
    step ??= progress.start(source, size);
    step.advance(read);
  };
  const result = await convertFile(source, destination, { ...options, signal, onProgress });
  step?.done(`${formatBytes(result.size)}, ${result.entries} entries`);
  for (const warning of result.warnings) progress.note(`${source}: ${warning}`);
  return result;
}

function report(destination: string, { digest, diffId, tocDigest }: LayerResult): string {
  return `${destination}\n  digest      ${digest}\n  diff id     ${diffId}\n  TOC digest  ${tocDigest}\n`;
}

/** A signal that aborts when the user interrupts: what is half-written goes before the process does. */
function interruptible(): { readonly signal: AbortSignal; end(): void } {
  const controller = new AbortController();
  const abort = (): void => controller.abort(new CrfsError('CRFS_USAGE', 'interrupted: nothing was written'));
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const name of signals) process.once(name, abort);
  return {
    signal: controller.signal,
    end() {
      for (const name of signals) process.off(name, abort);
    },
  };
}

/** Lines of a file: blank ones, and comments after #, say nothing. Throws CRFS_NOT_FOUND, CRFS_USAGE. */
function readPatterns(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new CrfsError('CRFS_NOT_FOUND', `cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
  const patterns = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  const leaving = patterns.find((line) => line.includes('\0') || line.split('/').includes('..'));
  if (leaving !== undefined) throw new CrfsError('CRFS_USAGE', `${path}: ${JSON.stringify(leaving)} leaves the layer`);
  return patterns;
}

function integer(low: number, high: number): (given: string) => number {
  return (given) => {
    const value = /^\d{1,15}$/.test(given) ? Number(given) : Number.NaN;
    if (value >= low && value <= high) return value;
    throw new InvalidArgumentError(`It is a whole number from ${low} to ${high}.`);
  };
}

/** A number of bytes, with k, m or g behind it for powers of 1024. */
function bytes(low: number, high: number): (given: string) => number {
  return (given) => {
    const [, digits = '', unit = ''] = /^(\d{1,10})([kmg]?)$/i.exec(given) ?? [];
    const value = digits === '' ? Number.NaN : Number(digits) * 1024 ** ' kmg'.indexOf(unit.toLowerCase() || ' ');
    if (value >= low && value <= high) return value;
    throw new InvalidArgumentError(`It is a number of bytes, such as 65536 or 4m, from ${low} to ${high}.`);
  };
}
