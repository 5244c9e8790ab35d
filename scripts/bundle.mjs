// SPDX-License-Identifier: GPL-3.0-or-later

// Joins what tsc has checked: the program, each of its workers, and what they share, to a few files in dist/bundle. A
// process that reads a hundred files instead takes twice as long to start.

import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename } from 'node:path';
import { build } from 'esbuild';

/** Of undici's, which asks for it where it can be had, and without which it does as well as Node.js without TLS: we speak HTTP/1.1, and it takes long to load. */
const withoutHttp2 = {
  name: 'without HTTP/2',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:http2$/ }, () => ({ path: 'http2', namespace: 'absent' }));
    onLoad({ filter: /^http2$/, namespace: 'absent' }, () => ({ contents: "throw new Error('there is no HTTP/2')" }));
  },
};

const common = {
  outbase: 'src',
  outdir: 'dist/bundle',
  chunkNames: 'main/shared/[name]-[hash]', // as deep as src/main/*/*.ts, from where workers are named
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  external: ['piscina', 'pino'], // which load files of theirs by name
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
  },
  logLevel: 'warning',
  plugins: [withoutHttp2],
};

rmSync('dist/bundle', { recursive: true, force: true });
const workers = readdirSync('src/workers', { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('-worker.ts'),
);
const { metafile } = await build({
  ...common,
  entryPoints: workers.map((name) => `src/workers/${name}`),
  entryNames: '[dir]/[name]-[hash]',
  metafile: true,
});
const hashed = new Map(
  Object.entries(metafile.outputs).flatMap(([path, { entryPoint }]) => {
    return entryPoint ? [[basename(entryPoint, '.ts'), basename(path, '.js')]] : [];
  }),
);

/** A daemon starts no worker of another version, which may have been installed meanwhile: that has another name. */
function namingWorkers(source) {
  return source.replace(/\/(\w+-worker)(\.js')/g, (_all, name, end) => `/${hashed.get(name)}${end}`);
}

const naming = {
  name: 'naming of workers',
  setup: ({ onLoad }) =>
    onLoad({ filter: /src\/main\/.*\.ts$/ }, ({ path }) => {
      return { loader: 'ts', contents: namingWorkers(readFileSync(path, 'utf8')) };
    }),
};
await build({ ...common, entryPoints: ['src/main/cli.ts'], plugins: [...common.plugins, naming] });
